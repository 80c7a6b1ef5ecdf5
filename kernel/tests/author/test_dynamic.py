"""Dynamic workflows: as entities, as nodes, and as plain Python in tests without an engine."""

import asyncio
import inspect

import pytest

from wingbeat import CompileError, map_task
from wingbeat.author.closing import close
from wingbeat.author.compose import Callee
from wingbeat.author.dynamic import body
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.entities import TaskSpec, WorkflowSpec
from wingbeat.spec.plan import GateKind, MapKind, ScopeKind
from wingbeat.testing import answers

MODULE = """
    from functools import partial
    from wingbeat import (
        ExecutionFailed, Failure, LaunchPlan, approve, case, cond, gather, map_task, sleep, task, wait_for_input, workflow,
    )
    @task
    def trial(seed: int) -> float: return 1 / (1 + seed)
    @task
    def even(x: int) -> bool: return x % 2 == 0
    @task
    def wrong(x: int) -> int: raise ValueError("not this")
    @task
    async def later(x: int) -> int: return x + 1
    @workflow
    def double(x: int) -> int: return later(later(x))
    @workflow(retries=2, timeout="1h")
    async def search(n: int) -> float:
        '''Looks for the best.'''
        scores = await gather(*(trial(seed=i) for i in range(n)))
        best = max(scores)
        if best >= 1:
            best += await trial(seed=100)
        return best
    @workflow
    async def forgiving(x: int) -> str:
        try:
            await wrong(x)
        except ExecutionFailed as error:
            return f"caught {error.kind} {error.code}: {error.message}"
        return "fine"
    @workflow
    async def everything(x: int) -> tuple[float, list[float], int, int, str]:
        approved = await approve("go", x)
        scores = await map_task(partial(trial))([1, 3])
        picked = await cond(x > 1, lambda: later(1), lambda: wrong(1))
        rest = await LaunchPlan(double, fixed={"x": 40})()
        await sleep("100h")
        named = await wait_for_input("name", str)
        return await search(approved), scores, picked, rest, named
    @workflow
    def static(n: int) -> float:
        return search(n)
    @task
    def tidy(n: int, error: Failure) -> None: ...
    @workflow(on_failure=tidy)
    async def careful(n: int) -> float: return await search(n)
"""


@pytest.fixture
def module(project):
    return project.load(MODULE)


# -- as an entity


def test_it_is_a_task_whose_function_awaits_nodes(module):
    closure, locations = close(module.search, None)
    check(closure, locations)
    (digest,) = closure.workflow.calls
    spec = closure.entities[digest]
    assert isinstance(spec, TaskSpec)
    assert spec.dynamic
    assert (spec.name, spec.entry.function, spec.doc) == (module.search.name, "search", "Looks for the best.")
    assert spec.code.startswith("sha256:")
    assert (spec.retry.count, spec.timeout.run_s, spec.timeout.total_s) == (2, None, 3600.0)
    assert closure.workflow.timeout_s == 3600.0
    assert not flatten(closure).plain


def test_a_static_workflow_calls_it_as_a_node(module):
    closure, locations = close(module.static, None)
    check(closure, locations)
    plan = flatten(closure)
    assert plan.tasks[plan.nodes[0].task].dynamic


def test_its_failure_handler_belongs_to_a_workflow_around_it(module, project):
    closure, locations = close(module.careful, None)
    check(closure, locations)
    assert flatten(closure).handler.tasks[0].name.endswith(".tidy")
    closure = project.closed("""
        @workflow(on_failure=number)
        async def careful(n: int) -> int: return n
        @workflow
        def flow(x: int) -> int: return careful(x)
    """)
    assert isinstance(closure.entities[closure.workflow.calls[0]], WorkflowSpec)
    assert isinstance(flatten(closure).nodes[0].kind, ScopeKind)


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (
            "@workflow(failure_policy=FailurePolicy.FAIL_IMMEDIATELY)  # here\nasync def f() -> int: ...",
            "dynamic ('async def')",
        ),
        (
            "@workflow(retries=2)  # here\ndef f() -> int: ...",
            "is a static ('def') workflow, which has no option 'retries'",
        ),
    ],
)
def test_an_option_of_the_other_kind_is_refused(said, definition, told):
    assert told in said(definition, "f")


def test_an_option_that_nobody_knows_is_refused(project):
    with pytest.raises(CompileError, match=r"no option 'speed' \(flows_\d+.py:\d+\)"):
        project.load("from wingbeat import workflow\n@workflow(speed=1)\ndef f() -> int: ...\n")


def test_it_stands_at_the_top_of_a_module(project):
    with pytest.raises(CompileError, match="is defined inside a function"):
        project.closed("""
            def make():
                @workflow
                async def hidden(x: int) -> int: return x
                return hidden
            flow = make()
        """)


# -- as plain Python


def test_it_runs_without_an_engine(module):
    assert asyncio.run(module.search(4)) == 1 + 1 / 101
    assert asyncio.run(module.forgiving(1)) == "caught USER ValueError: not this"
    assert body.get() is None


def test_everything_may_be_awaited_in_a_body(module):
    with answers({"name": "Ada"}):
        assert asyncio.run(module.everything(2)) == (1 + 1 / 101, [0.5, 0.25], 2, 42, "Ada")


def test_plain_static_workflows_have_values_of_what_is_async_at_once(module):
    assert module.static(4) == 1 + 1 / 101
    assert module.double(1) == 3

    async def inside_a_loop():
        return module.static(4), module.double(1)

    assert asyncio.run(inside_a_loop()) == (1 + 1 / 101, 3)


def test_a_body_forgets_itself_in_what_it_calls(project):
    module = project.load("""
        from wingbeat import gather, task, workflow
        from wingbeat.author.dynamic import body
        seen = []
        @task
        def inner(n: int) -> int: return n
        @task
        def outer(n: int) -> int:
            seen.append(body.get())
            return inner(n) + 1
        @workflow
        async def flow(n: int) -> int:
            seen.append(body.get() is not None)
            both = await gather(outer(n), outer(n + 1))
            seen.append(body.get() is not None)
            return sum(both)
    """)
    assert asyncio.run(module.flow(1)) == 5
    assert module.seen == [True, None, None, True]


def test_a_call_outside_of_a_body_is_a_coroutine(module):
    made = module.search(3)
    assert inspect.iscoroutine(made)
    made.close()


# -- as calls of a body


def test_whatever_a_body_calls_closes_to_a_workflow_of_one_node(module):
    calls = []

    class Recording:
        async def call(self, entity, args, kwargs, where):
            calls.append((entity, args, kwargs, where))
            return {"trial": 1.0, "even": True}.get(entity.name.rpartition(".")[2], 1)

    async def main():
        token = body.set(Recording())
        try:
            await module.trial(2)
            await module.search(n=2)
            await module.static(3)
            await map_task(module.trial)([1, 2])
            await module.trial.override(retries=2)(1)
        finally:
            body.reset(token)

    asyncio.run(main())
    assert [(args, kwargs) for _, args, kwargs, _ in calls] == [
        ((2,), {}), ((), {"n": 2}), ((3,), {}), ((), {"seed": [1, 2]}), ((1,), {}),
    ]  # fmt: skip
    for entity, args, kwargs, where in calls:
        assert isinstance(entity, Callee)
        assert where.file == __file__
        closure, locations = close(entity, None)
        check(closure, locations)
        assert len(closure.workflow.nodes) == 1
        given = {**dict(zip(entity.signature.inputs, args, strict=False)), **kwargs}
        for name, value in given.items():
            assert entity.signature.codecs[name].type == closure.workflow.interface.input(name).type
            entity.signature.codecs[name].encode(value, None)
        assert [c.type for c in entity.signature.output_codecs.values()] == [
            v.type for v in closure.workflow.interface.outputs
        ]


@pytest.mark.parametrize(
    "call",
    [
        "approve('a', [1, 2])",
        "approve('a')",
        "wait_for_input('a', dict[str, int])",
        "sleep(1, None)",
        "sleep(5, {'a': 1.0})",
    ],
)
def test_gates_of_a_body_close_too(module, call):
    calls = []

    class Recording:
        def call(self, entity, args, kwargs, where):
            calls.append((entity, kwargs))

    token = body.set(Recording())
    try:
        eval(call, vars(module))  # written above
    finally:
        body.reset(token)
    ((entity, kwargs),) = calls
    closure, locations = close(entity, None)
    check(closure, locations)
    assert isinstance(flatten(closure).nodes[0].kind, GateKind)
    assert {v.name for v in closure.workflow.interface.inputs} == kwargs.keys() == entity.signature.inputs.keys()
    for name, value in kwargs.items():
        entity.signature.codecs[name].encode(value, None)


def test_a_traced_workflow_comes_before_a_body(module):
    class Never:
        def call(self, entity, args, kwargs, where):
            raise AssertionError(entity)

    token = body.set(Never())
    try:
        closure, _ = close(module.static, None)
    finally:
        body.reset(token)
    assert len(closure.workflow.nodes) == 1


def test_a_map_over_a_dynamic_workflow(module):
    plan_of = []

    class Recording:
        def call(self, entity, args, kwargs, where):
            plan_of.append(flatten(close(entity, None)[0]))

    token = body.set(Recording())
    try:
        map_task(module.search)([1, 2])
    finally:
        body.reset(token)
    assert isinstance(plan_of[0].nodes[0].kind, MapKind)
    assert plan_of[0].tasks[0].dynamic
