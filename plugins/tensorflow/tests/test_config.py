"""What an author says, and what becomes of it in the spec. Needs no TensorFlow."""

import pytest

from wingbeat.base.errors import CompileError
from wingbeat.contracts.gang import Member
from wingbeat.spec.entities import Entry, Interface, Isolation, TaskSpec
from wingbeat.spec.gang import GangSpec, RoleSpec
from wingbeat_tensorflow import TensorFlow
from wingbeat_tensorflow.cluster import serves, tf_config, trains

TASK = TaskSpec("m.train", Interface((), ()), Entry("m", "train"), variables={"MINE": "1"})


def test_one_process_is_no_gang():
    made = TensorFlow().configure(TASK)
    assert made.gang is None
    assert made.isolation is Isolation.SPAWN
    assert made.variables == {"TF_CPP_MIN_LOG_LEVEL": "2", "MINE": "1"}
    (wrapper,) = made.wrappers
    assert (wrapper.name, wrapper.config) == ("tensorflow", {})
    assert TensorFlow(strategy=False).configure(TASK).wrappers[0].config == {"strategy": False}


def test_what_the_author_says_about_logs_wins():
    own = TaskSpec("m.train", Interface((), ()), Entry("m", "train"), variables={"TF_CPP_MIN_LOG_LEVEL": "0"})
    assert TensorFlow().configure(own).variables == {"TF_CPP_MIN_LOG_LEVEL": "0"}


@pytest.mark.parametrize(
    ("config", "roles"),
    [
        (TensorFlow(workers=2), [RoleSpec("worker", 2)]),
        (TensorFlow(workers=2, chief=1), [RoleSpec("chief"), RoleSpec("worker", 2)]),
        (TensorFlow(evaluator=1), [RoleSpec("worker"), RoleSpec("evaluator", serves=True)]),
        (
            TensorFlow(workers=2, chief=1, ps=1),
            [RoleSpec("chief"), RoleSpec("worker", 2, serves=True), RoleSpec("ps", serves=True)],
        ),
    ],
)
def test_several_processes_are_a_gang_whose_first_role_has_the_outputs(config, roles):
    assert config.configure(TASK).gang == GangSpec(tuple(roles))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"workers": 0}, "somebody has to train"),
        ({"workers": -1}, "from 0 on"),
        ({"workers": True}, "from 0 on"),
        ({"chief": 2}, "at most one"),
        ({"ps": 1}, "need chief=1"),
        ({"workers": 500}, "at most 256"),
    ],
)
def test_what_cannot_be_is_refused(arguments, why):
    with pytest.raises(CompileError, match=why):
        TensorFlow(**arguments)


ADDRESSES = {"chief": ("h:1",), "worker": ("h:2", "h:3"), "evaluator": ("h:4",)}


def test_tf_config_is_as_tensorflow_wants_it():
    assert tf_config(Member("worker", 1, ADDRESSES)) == (
        '{"cluster": {"chief": ["h:1"], "worker": ["h:2", "h:3"]}, "task": {"type": "worker", "index": 1}}'
    )
    assert '"task": {"type": "evaluator", "index": 0}' in tf_config(Member("evaluator", 0, ADDRESSES))


def test_who_serves_and_who_trains():
    with_servers = {**ADDRESSES, "ps": ("h:5",)}
    assert [role for role in with_servers if serves(Member(role, 0, with_servers))] == ["worker", "ps"]
    assert [role for role in with_servers if trains(Member(role, 0, with_servers))] == []
    assert [role for role in ADDRESSES if trains(Member(role, 0, ADDRESSES))] == ["chief", "worker"]
