"""A call for each item of lists: what is recorded, what is refused, and what it is as plain Python."""

import asyncio

import pytest

from wingbeat.author.closing import close
from wingbeat.base.errors import CompileError
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.entities import Constant, MapSpec, OverrideSpec, Promise, RetrySpec
from wingbeat.spec.plan import MapKind
from wingbeat.types import ListType, Simple, UnionType, literal_type


def test_a_map_is_one_node_over_the_inputs_given_in_the_call(project):
    closure = project.closed("""
        @workflow
        def flow(xs: list[int], m: int) -> list[int]:
            return map_task(partial(number, m=m), concurrency=4)(xs)
    """)
    (node,) = closure.workflow.nodes
    assert node.kind == MapSpec(("n",), concurrency=4)
    assert node.inputs == {"n": Promise(output="xs"), "m": Promise(output="m")}
    assert closure.entities[closure.workflow.calls[node.call]].name.endswith(".number")
    assert closure.workflow.outputs == {"o0": Promise("n0")}


def test_bounds_that_bound_nothing_are_none(project):
    """As in Flyte: a concurrency of 0 is no limit, and of a ratio of 1 no item may fail, so that none is missing."""
    closure = project.closed("""
        @workflow
        def flow(xs: list[int]) -> list[int]:
            return map_task(number, concurrency=0, min_success_ratio=1.0)(xs)
    """)
    assert closure.workflow.nodes[0].kind == MapSpec(("n",))
    assert closure.workflow.interface.outputs[0].type == ListType(Simple("int"))


def test_what_is_bound_may_be_a_constant_and_lists_come_by_position_or_name(project):
    closure = project.closed("""
        @workflow
        def flow(xs: list[int]) -> tuple[list[int], list[int], list[int]]:
            return map_task(number)(n=xs), map_task(number)([1, 2], m=xs), map_task(partial(number, 7))(xs)
    """)
    one, two, three = closure.workflow.nodes
    assert one.kind.over == ("n",)
    assert (two.kind.over, two.inputs["n"]) == (("n", "m"), Constant([1, 2]))
    assert (three.kind.over, three.inputs["n"]) == (("m",), Constant(7))


def test_an_item_that_may_fail_gives_none(project):
    closure = project.closed("""
        @task
        def known(ns: list[int | None]) -> int: return 0
        @workflow
        def flow(xs: list[int]) -> tuple[int, list[int | None]]:
            some = map_task(number, min_success_ratio=0.5)(xs)
            return known(some), map_task(number, min_successes=1)(xs)
    """)
    assert closure.workflow.nodes[0].kind == MapSpec(("n",), min_success_ratio=0.5)
    assert closure.workflow.interface.outputs[1].type == ListType(UnionType((Simple("int"), Simple("none"))))


@pytest.mark.parametrize("hint", [int, int | None, int | str, str | None | int, list[int], None])
def test_the_type_of_a_tolerant_output_is_that_of_the_hint(hint):
    from typing import Optional

    from wingbeat.spec.mapped import optional

    assert optional(literal_type(hint)) == literal_type(Optional[hint])  # a hint may be no class


def test_a_part_and_an_order_of_a_map(project):
    closure = project.closed("""
        @workflow
        def flow(xs: list[int]) -> int:
            made = map_task(number)(xs)
            nothing().after(made)
            return made[0]
    """)
    assert closure.workflow.nodes[1].after == ("n0",)
    assert closure.workflow.outputs["o0"] == Promise("n0", "o0", (0,))


def test_workflows_with_maps_are_mapped_and_launch_plans_too(project):
    plan = project.plan("""
        @workflow
        def row(xs: list[int]) -> int:
            return total(map_task(number)(xs))
        daily = LaunchPlan(row, name="daily")
        @workflow
        def flow(rows: list[list[int]]) -> tuple[list[int], list[int]]:
            return map_task(row)(rows), map_task(daily)(rows)
    """)
    inner, child = (node.kind for node in plan.nodes)
    assert isinstance(inner, MapKind)
    assert [n.id for n in inner.plan.nodes] == ["n0", "n1"]
    assert isinstance(inner.plan.nodes[0].kind, MapKind)
    assert child.plan is None
    assert child.child.launchplan.name == "daily"


def test_options_of_one_call_go_with_a_map(project):
    closure = project.closed("""
        @workflow
        def flow(xs: list[int]) -> list[int]:
            return map_task(number.override(retries=3))(xs)
    """)
    (node,) = closure.workflow.nodes
    assert node.override == OverrideSpec(retry=RetrySpec(3))
    assert node.kind == MapSpec(("n",))


def test_a_task_without_output_is_mapped_for_its_effects(project):
    module = project.load("""
        from wingbeat import map_task, task, workflow
        seen = []
        @task
        def note(n: int) -> None: seen.append(n)
        @workflow
        def flow(xs: list[int]) -> None:
            return map_task(note)(xs)
    """)
    closure, _ = close(module.flow, None)
    check(closure)
    assert closure.workflow.outputs == {}
    assert module.flow([1, 2]) is None
    assert module.seen == [1, 2]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("map_task(number)()", "is given no list"),
        ("map_task(number)(xs, xs, xs)", "takes 2 lists, and got 3"),
        ("map_task(number)(k=xs)", "there is no input 'k'"),
        ("map_task(partial(number, k=1))(xs)", "there is no input 'k'"),
        ("map_task(partial(number, 1, 2, 3))(xs)", "has 3 arguments bound"),
        ("map_task(partial(number, n=1))(n=xs)", "got 'n' twice"),
        ("map_task(number)(xs, n=xs)", "got 'n' twice"),
        ("map_task(text)(3)", ".text goes over 'n', which is 3 and no list"),
        ("map_task(text)(text(1))", "takes 'n' as list[int], but n0.o0"),
        ("map_task(partial(number, m=xs))(xs)", "takes 'm' as int, but input 'xs' is list[int]"),
        ("map_task(number)([1, 2], m=[1])", "lists of different lengths: 'n' has 2 items, 'm' has 1 item"),
        ("map_task(both)(xs)", "gives 2 outputs"),
        ("map_task(pair)(xs)", "gives 2 outputs"),
        ("map_task(len)(xs)", "takes a task, a workflow or a launch plan"),
        ("map_task(map_task(number))(xs)", "takes a task, a workflow or a launch plan"),
        ("map_task(number, concurrency=-1)(xs)", "concurrency is at least 0"),
        ("map_task(number, min_successes=-1)(xs)", "min_successes is at least 0"),
        ("map_task(number, min_success_ratio=1.5)(xs)", "min_success_ratio is between 0 and 1"),
        ("total(map_task(number, min_successes=1)(xs))", "takes 'ns' as list[int], but n0.o0"),
    ],
)
def test_a_wrong_map_is_refused_with_its_line(said, call, told):
    assert told in said(f"""
        @workflow
        def flow(xs: list[int]) -> None:
            {call}  # here
    """)  # fmt: skip


PLAIN = """
    from functools import partial
    from wingbeat import map_task, task, workflow, LaunchPlan
    @task
    def odd(x: int, plus: int = 0) -> int:
        if x % 2 == 0:
            raise ValueError(f"{x} is even")
        return x + plus
    @task
    def add(x: int, y: int) -> int: return x + y
    @workflow
    async def later(x: int) -> int: return await add(x, 1)
"""


def test_called_directly_a_map_is_a_list_in_order(project):
    from wingbeat import map_task

    module = project.load(PLAIN)
    assert map_task(module.odd)([5, 3, 1]) == [5, 3, 1]
    assert map_task(module.odd)([]) == []
    assert map_task(module.add)([1, 2], y=[10, 20]) == [11, 22]
    assert asyncio.run(map_task(module.later)([1, 2])) == [2, 3]


def test_called_directly_failures_are_tolerated_as_far_as_said(project):
    from functools import partial

    from wingbeat import map_task

    odd = project.load(PLAIN).odd
    assert map_task(partial(odd, plus=10), min_success_ratio=0.5)([1, 2, 3, 4]) == [11, None, 13, None]
    assert map_task(odd, min_successes=1)([2, 3]) == [None, 3]
    with pytest.raises(ValueError, match="2 is even"):
        map_task(odd)([1, 2])
    with pytest.raises(ValueError, match="4 is even"):
        map_task(odd, min_success_ratio=0.6)([1, 2, 3, 4])
    with pytest.raises(ValueError, match="At least 2 items must succeed, and the lists have 1 item"):
        map_task(odd, min_successes=2)([1])
    with pytest.raises(CompileError, match=r"different lengths.*test_maps\.py"):
        map_task(odd)([1, 3], plus=[1])


@pytest.mark.parametrize(
    ("ratio", "least", "total", "needed"),
    [(None, None, 7, 7), (0.07, None, 100, 7), (0.5, None, 3, 2), (1.0, None, 3, 3), (0.0, None, 3, 0),
     (None, 2, 5, 2), (0.5, 4, 6, 4), (None, 5, 2, 5)],
)  # fmt: skip
def test_how_many_items_have_to_succeed(ratio, least, total, needed):
    assert MapSpec(("x",), min_successes=least, min_success_ratio=ratio).needed(total) == needed


def test_a_call_of_a_map_is_closed_to_a_workflow_of_one_node(project):
    module = project.load(PLAIN)
    calls = []

    class Recording:
        def call(self, entity, args, kwargs, where):
            calls.append((entity, args, kwargs, where))

    from wingbeat import map_task
    from wingbeat.author.dynamic import body

    token = body.set(Recording())
    try:
        map_task(module.odd, concurrency=2)([1, 3], plus=[1, 2])
    finally:
        body.reset(token)
    ((entity, args, kwargs, where),) = calls
    assert (args, kwargs, where.file) == ((), {"x": [1, 3], "plus": [1, 2]}, __file__)
    closure, locations = close(entity, None)
    check(closure, locations)
    assert [v.type for v in closure.workflow.interface.inputs] == [ListType(Simple("int"))] * 2
    assert entity.signature.codecs["x"].encode([1], None) == [1]
    assert entity.signature.output_codecs["o0"].type == closure.workflow.interface.outputs[0].type
    assert isinstance(flatten(closure).nodes[0].kind, MapKind)
