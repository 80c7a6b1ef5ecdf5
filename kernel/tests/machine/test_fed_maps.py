"""Maps over what other maps give: their items start one by one, and nothing is lost or too early."""

import random

import pytest

from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    CacheSpec,
    Closure,
    Entry,
    FailurePolicy,
    Interface,
    MapSpec,
    NodeSpec,
    Promise,
    TaskSpec,
    Variable,
    WorkflowSpec,
)
from wingbeat.testing.playbook import Playbook
from wingbeat.types import ListType, Simple, UnionType

INT = Simple("int")
MAYBE = UnionType((INT, Simple("none")))


def play(maps, xs, *, policy=FailurePolicy.FAIL_IMMEDIATELY, cached=(), constant=""):
    """`maps`: by id, (what each takes: the input, ids of maps, promises; its spec; what it is after).

    What is left of the first beyond the spec's lists is an input called `constant`, the same for every item.
    """
    entities, calls, nodes = {}, [], []
    for id_, (sources, spec, after) in maps.items():
        names = (*spec.over, constant) if len(sources) > len(spec.over) else spec.over
        variables = tuple(Variable(name, MAYBE) for name in names)
        task = TaskSpec(
            f"jobs.{id_}", Interface(variables, (Variable("o0", INT),)), Entry("jobs", id_),
            cache=CacheSpec("1") if id_ in cached else None,
        )  # fmt: skip
        entities[spec_digest(task)] = task
        calls.append(spec_digest(task))
        inputs = {
            name: source if isinstance(source, Promise) else Promise(output="xs") if source == "xs" else Promise(source)
            for name, source in zip(names, sources, strict=True)
        }
        nodes.append(NodeSpec(id_, len(calls) - 1, inputs, after, spec))
    workflow = WorkflowSpec(
        "jobs.flow", Interface((Variable("xs", ListType(INT)),), ()), tuple(calls), tuple(nodes), failure_policy=policy
    )
    entities[spec_digest(workflow)] = workflow
    closure = Closure(spec_digest(workflow), entities)
    check(closure)
    return Playbook(flatten(closure), {"xs": xs})


def one(source, *, after=(), **options):
    return (source,), MapSpec(("x",), **options), after


def test_an_item_starts_when_the_item_that_feeds_it_has_ended():
    p = play({"a": one("xs"), "b": one("a")}, [10, 20])
    assert p.launch() == ["submit a.0/0", "submit a.1/0"]
    assert p.phases() == {"a": "RUNNING", "b": "RUNNING"}
    assert p.succeeded("a.1", value=7) == ["submit b.1/0"]
    assert p.machine.values(p.address("b.1"))["x"].value == 7
    assert p.succeeded("b.1") == []
    assert p.succeeded("a.0", value=5) == ["submit b.0/0"]
    assert p.phases() == {"a": "SUCCEEDED", "b": "RUNNING"}
    assert p.machine.values(p.address("b.0"))["x"].value == 5
    assert p.succeeded("b.0") == ["finish"]


def test_a_chain_of_maps_is_fed_item_by_item():
    p = play({"a": one("xs"), "b": one("a"), "c": one("b")}, [1, 2])
    p.launch()
    assert p.succeeded("a.0") == ["submit b.0/0"]
    assert p.succeeded("b.0") == ["submit c.0/0"]
    assert p.succeeded("a.1") == ["submit b.1/0"]
    assert p.succeeded("b.1") == ["submit c.1/0"]
    p.succeeded("c.1")
    assert p.succeeded("c.0") == ["finish"]


def test_an_item_waits_for_every_map_that_feeds_it():
    both = ("a", "b"), MapSpec(("x", "y")), ()
    p = play({"a": one("xs"), "b": one("xs"), "c": both}, [1, 2])
    p.launch()
    assert p.succeeded("a.0") == []
    assert p.succeeded("b.1") == []
    assert p.succeeded("b.0") == ["submit c.0/0"]
    assert p.succeeded("a.1") == ["submit c.1/0"]


def test_concurrency_of_the_fed_map_is_kept():
    p = play({"a": one("xs"), "b": one("a", concurrency=1)}, [1, 2, 3])
    p.launch()
    assert p.succeeded("a.2") == ["submit b.2/0"]
    assert p.succeeded("a.0") == []
    assert p.restart() == ["submit a.1/0", "submit b.2/0"]
    assert p.succeeded("b.2") == ["submit b.0/0"]
    assert p.succeeded("a.1") == []
    assert p.succeeded("b.0") == ["submit b.1/0"]
    assert p.succeeded("b.1") == ["finish"]


def test_a_cached_item_is_looked_for_when_it_is_fed():
    p = play({"a": one("xs"), "b": one("a")}, [1, 2, 3], cached=("b",))
    p.launch()
    assert p.succeeded("a.1") == ["lookup b.1"]
    assert p.restart() == ["lookup b.1", "submit a.0/0", "submit a.2/0"]
    assert p.hit("b.1") == []
    assert p.succeeded("a.0") == ["lookup b.0"]
    assert p.missed("b.0") == ["submit b.0/0"]


def test_a_failed_item_of_a_tolerant_map_feeds_none():
    p = play({"a": one("xs", min_successes=1), "b": one("a")}, [1, 2])
    p.launch()
    assert p.failed("a.0", retryable=False) == ["submit b.0/0"]
    assert p.machine.values(p.address("b.0"))["x"].value is None
    assert p.succeeded("a.1") == ["submit b.1/0"]


def test_a_failed_item_fails_both():
    p = play({"a": one("xs"), "b": one("a")}, [1, 2, 3])
    p.launch()
    p.succeeded("a.0")
    assert p.failed("a.1", retryable=False) == ["cancel a.2/0", "cancel b.0/0"]
    assert p.aborted("b.0") == []
    assert p.aborted("a.2") == ["finish"]
    assert p.phases() == {"a": "FAILED", "b": "ABORTED"}


def test_where_what_can_is_finished_a_map_that_is_fed_no_more_stops():
    p = play(
        {"a": one("xs"), "b": one("a"), "c": one("b")},
        [1, 2],
        policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    )
    p.launch()
    p.succeeded("a.0")
    assert p.failed("a.1", retryable=False) == ["cancel b.0/0"]
    assert p.aborted("b.0") == ["finish"]
    assert p.phases() == {"a": "FAILED", "b": "ABORTED", "c": "ABORTED"}
    assert "node a failed" in p.node("b").reason


def test_where_an_order_is_asked_for_the_whole_map_is_waited_for():
    p = play({"a": one("xs"), "b": one("a", after=("a",))}, [1, 2])
    p.launch()
    assert p.succeeded("a.0") == []
    assert p.succeeded("a.1") == ["submit b.0/0", "submit b.1/0"]


def test_a_map_that_also_waits_for_something_else_begins_when_that_has_ended():
    p = play({"z": one("xs"), "a": one("xs"), "b": one("a", after=("z",))}, [1, 2])
    p.launch()
    p.succeeded("a.0")
    p.succeeded("z.0")
    assert p.succeeded("z.1") == ["submit b.0/0"]


def test_an_input_that_cannot_be_taken_fails_the_map_that_takes_it():
    """Also where that is found out while it is asked whether the map may begin early."""
    p = play({"a": one("xs"), "b": (("a", Promise(output="xs", path=(5,))), MapSpec(("x",)), ())}, [1, 2], constant="k")
    p.launch()
    assert p.phases() == {"a": "RUNNING", "b": "NOT_STARTED"}
    p.succeeded("a.0")
    p.succeeded("a.1")
    assert p.phases() == {"a": "SUCCEEDED", "b": "FAILED"}
    assert p.machine.state.error.code == "BindingError"


def test_lists_of_other_lengths_are_found_at_the_beginning():
    both = ("xs", "b"), MapSpec(("x", "y")), ()
    p = play({"a": one("xs"), "b": one("a"), "c": both}, [1, 2])
    assert p.launch() == ["submit a.0/0", "submit a.1/0"]
    empty = play({"a": one("xs"), "b": one("a")}, [])
    assert empty.launch() == ["finish"]


def test_many_maps_in_a_row_are_no_recursion():
    count = 400
    maps = {f"m{i}": one(f"m{i - 1}" if i else "xs") for i in range(count)}
    p = play(maps, [1])
    p.launch()
    for i in range(count):
        p.succeeded(f"m{i}.0")
    assert p.phase == "SUCCEEDED"
    failing = play(maps, [1], policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    failing.launch()
    assert failing.failed("m0.0", retryable=False) == ["finish"]


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_each_item_runs_once_and_takes_what_it_was_fed(seed):
    rng = random.Random(seed)
    total = rng.randint(1, 6)
    maps = {"a": one("xs"), "b": one("a", concurrency=rng.choice((None, 1, 2))), "c": one("b")}
    p = play(maps, list(range(total)))
    open_ = set(p.launch())
    seen = set(open_)
    while open_:
        name = rng.choice(sorted(open_))
        if rng.random() < 0.2:
            assert set(p.restart()) == open_
        open_.discard(name)
        item = name.removeprefix("submit ").removesuffix("/0")
        new = set(p.succeeded(item, value=10 * ord(item[0]) + int(item[2:]))) - {"finish"}
        assert not new & seen
        for each in new:
            fed = each.removeprefix("submit ").removesuffix("/0")
            above, number = chr(ord(fed[0]) - 1), int(fed[2:])
            assert p.machine.values(p.address(fed))["x"].value == 10 * ord(above) + number
        open_, seen = open_ | new, seen | new
    assert p.phase == "SUCCEEDED"
    assert len(seen) == 3 * total
