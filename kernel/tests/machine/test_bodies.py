"""Bodies of dynamic workflows, said as dialogues: the ids of what they call, and what a failed call makes of them."""

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.compile.flatten import flatten
from wingbeat.machine import event as e
from wingbeat.machine.attempts import SYSTEM
from wingbeat.spec.entities import RetrySpec
from wingbeat.testing.plans import Job, make_closure, make_plan, replace_task
from wingbeat.testing.playbook import Playbook

TEMPLATES = {
    "one": make_plan({"x": Job()}),
    "two": make_plan({"x": Job(), "y": Job(["x"])}, returns=["y"]),
    "none": make_plan({}),
}


class Body(Playbook):
    """The play of a node `a` that is a body."""

    def __init__(self, retries: int = 0) -> None:
        closure = make_closure({"a": Job(retry=RetrySpec(retries, jitter=0))})
        super().__init__(flatten(replace_task(closure, "jobs.a", dynamic=True)), templates=TEMPLATES)

    def calls(self, turn: int, *calls: tuple[str, str], cancels: tuple[str, ...] = ()) -> list[str]:
        """A turn has ended with these calls, each a key and a template."""
        called = tuple(e.Called(key, template, {}) for key, template in calls)
        return self.say(e.AttemptSuspended(self.at, self.address("a"), turn, called, cancels))

    def again(self, turn: int) -> list[str]:
        """The body raised in a turn, and is run again from its beginning."""
        self.failed("a", turn)
        return self.timer("retry", "a", turn + 1)


# -- ids


def test_what_is_called_is_named_by_its_key():
    p = Body()
    p.launch()
    assert p.calls(0, ("f-0", "one"), ("f-1", "one"), ("g.f-0", "two")) == [
        "submit a.f-0/0", "submit a.f-1/0", "submit a.g.f-0.x/0",
    ]  # fmt: skip
    assert list(p.phases()) == ["a", "a.f-0", "a.f-1", "a.g.f-0.x", "a.g.f-0.y"]


def test_a_call_that_is_made_again_has_the_number_of_the_time():
    p = Body(retries=3)
    p.launch()
    p.calls(0, ("f-0", "one"), ("g-0", "two"))
    p.failed("a.f-0")
    p.failed("a.g-0.x")
    assert p.again(1) == ["submit a/2"]
    assert p.calls(2, ("f-0", "one")) == ["submit a.f-0~1/0"]
    p.failed("a.f-0~1")
    assert p.again(3) == ["submit a/4"]
    assert p.calls(4, ("f-0", "one"), ("g-0", "two")) == ["submit a.f-0~2/0", "submit a.g-0~1.x/0"]
    assert p.phases()["a.f-0"] == p.phases()["a.f-0~1"] == "FAILED"


def test_the_number_counts_calls_of_one_key_only_and_what_succeeded_is_kept():
    p = Body(retries=1)
    p.launch()
    p.calls(0, ("f-0", "one"), ("f-1", "one"))
    p.succeeded("a.f-0")
    p.failed("a.f-1")
    p.again(1)
    body = p.machine.state.bodies[p.address("a")]
    assert (list(body.kept), body.calls, body.history, body.began_at) == (["f-0"], {}, [], p.at)
    assert p.calls(2, ("f-1", "one"), ("f-2", "one")) == ["submit a.f-1~1/0", "submit a.f-2/0"]


def test_ids_and_where_they_lead_outlive_a_restart():
    p = Body(retries=1)
    p.launch()
    p.calls(0, ("f-0", "two"))
    p.failed("a.f-0.x")
    p.again(1)
    p.calls(2, ("f-0", "two"))
    before = {name: p.address(name) for name in p.phases()}
    assert p.restart() == ["submit a.f-0~1.x/0"]
    assert {name: p.address(name) for name in p.phases()} == before
    assert p.succeeded("a.f-0~1.x") == ["submit a.f-0~1.y/0"]


# -- failed calls


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_failed_call_that_is_let_through_is_the_users_failure_whoever_failed(kind):
    p = Body(retries=1)
    p.launch()
    p.calls(0, ("f-0", "one"))
    for attempt in range(SYSTEM.count + 1 if kind is ErrorKind.SYSTEM else 1):
        if attempt:
            p.timer("retry", "a.f-0", attempt)
        p.failed("a.f-0", attempt, kind=kind)
    why = {"code": "Killed", "kind": kind, "node": "a.f-0"}
    p.failed("a", 1, **why)
    assert (p.node("a").system_failures, p.node("a").user_failures) == (0, 1)
    assert p.timer("retry", "a", 2) == ["submit a/2"]
    assert p.calls(2, ("f-0", "one")) == [
        "submit a.f-0~1/0"
    ]  # the body was not lost: it fails with this call, or without it
    p.failed("a.f-0~1", retryable=False)
    assert p.failed("a", 3, **why) == ["finish"]
    error = p.machine.state.error
    assert error is not None
    assert (error.code, error.kind, error.node) == ("Killed", kind, "a.f-0")


def test_lost_turns_are_forgiven_when_the_body_has_got_on():
    p = Body()
    p.launch()
    for number in range(2 * SYSTEM.count):
        p.lost("a", 2 * number)
        p.timer("retry", "a", 2 * number + 1)
        p.calls(2 * number + 1, (f"f-{number}", "one"))
        p.succeeded(f"a.f-{number}")
    assert p.node("a").system_failures == 0
    assert p.phases()["a"] == "DYNAMIC_RUNNING"


def test_a_lost_turn_is_the_systems_failure_and_what_it_called_goes_on():
    p = Body()
    p.launch()
    p.calls(0, ("f-0", "one"), ("g-0", "one"))
    p.failed("a.f-0")
    p.lost("a", 1)
    assert (p.node("a").system_failures, p.node("a").user_failures) == (1, 0)
    assert p.phases()["a.g-0"] == "QUEUED"


# -- the end of all


@pytest.mark.parametrize("how", ["fails", "is aborted"])
def test_an_execution_waits_for_what_a_body_between_two_turns_has_called(how):
    """Of two bodies that are stopped one after the other, the first ends at once; the end of all waits for the second."""
    jobs = {"a": Job(), "b": Job(), "c": Job()}
    closure = replace_task(replace_task(make_closure(jobs), "jobs.a", dynamic=True), "jobs.b", dynamic=True)
    slow = make_plan({"x": Job(retry=RetrySpec(1, jitter=0))})
    p = Playbook(flatten(closure), templates={**TEMPLATES, "slow": slow})
    p.launch()
    p.say(e.AttemptSuspended(p.at, p.address("a"), 0, (e.Called("f-0", "slow", {}),)))
    p.failed("a.f-0")  # it is between two attempts
    p.say(e.AttemptSuspended(p.at, p.address("b"), 0, (e.Called("g-0", "one", {}), e.Called("g-1", "one", {}))))
    p.succeeded("b.g-1")
    p.lost("b", 1)  # the body is between two turns, and b.g-0 runs
    said = p.failed("c", retryable=False) if how == "fails" else [*p.abort(), *p.aborted("c")]
    assert "cancel b.g-0/0" in said
    assert "finish" not in said
    assert p.aborted("b.g-0") == ["finish"]
    assert p.phase == ("FAILED" if how == "fails" else "ABORTED")
