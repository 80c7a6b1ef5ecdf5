"""What a launch asks of its execution as a whole: pool, priority, failure policy."""

import asyncio

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import Failed
from wingbeat.engine.asked import LABEL, under_policy
from wingbeat.spec.entities import ConcurrencySpec, FailurePolicy, PoolSpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import ScriptedExecutor
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()})
LATER = FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")


@pytest.fixture
def slow(bench):
    """Attempts that run until they are ended by hand; a pool of one slot, and one of two."""
    bench.executor = ScriptedExecutor(lambda _: None)
    bench.pools = {"gpu": 1, "cpu": 2}
    return bench


async def test_tasks_that_want_no_pool_take_that_of_the_launch(slow):
    flow = make_closure({"a": Job(), "own": Job(pool=PoolSpec("cpu"))})
    async with slow.engine() as engine:
        for name in ("one", "two"):
            await engine.launch(slow.request(flow, name, pool=PoolSpec("gpu")))
        await until(lambda: len(slow.executor.running) == 3)
        assert set(slow.executor.running) == {"one/a/0", "one/own/0", "two/own/0"}
        assert "waiting for pool 'gpu'" in await engine.explain_waiting("two", "a")
        assert slow.executor.running["one/a/0"].task.pool == PoolSpec("gpu")
        assert slow.executor.running["one/own/0"].task.pool == PoolSpec("cpu")


async def test_the_pool_of_a_launch_holds_after_a_restart(slow):
    async with slow.engine() as engine:
        for name in ("one", "two"):
            await engine.launch(slow.request(ONE, name, pool=PoolSpec("gpu")))
        await until(lambda: slow.executor.running)
    async with slow.engine() as engine:
        assert "waiting for pool 'gpu'" in await engine.explain_waiting("two", "a")


async def test_who_has_the_higher_priority_comes_first_in_pools(slow):
    own = make_closure({"a": Job(pool=PoolSpec("gpu", priority=3))})
    async with slow.engine() as engine:
        await engine.launch(slow.request(ONE, "first", pool=PoolSpec("gpu")))
        await until(lambda: slow.executor.running)
        await engine.launch(slow.request(own, "low"))
        await engine.launch(slow.request(own, "high", priority=2))
        await until(lambda: "high/a/0" in engine._pools._pool_of)
        slow.executor.end("first/a/0")
        await until(lambda: slow.executor.running)
        assert list(slow.executor.running) == ["high/a/0"]


async def test_who_has_the_higher_priority_comes_first_under_a_limit(slow):
    limit = ConcurrencySpec("nightly")
    async with slow.engine() as engine:
        await engine.launch(slow.request(ONE, "first", concurrency=limit))
        await engine.launch(slow.request(ONE, "low", concurrency=limit))
        await engine.launch(slow.request(ONE, "high", concurrency=limit, priority=5))
        slow.executor.end("first/a/0")
        await until(lambda: slow.executor.running)
        assert list(slow.executor.running) == ["high/a/0"]


async def test_a_pool_that_is_not_set_up_is_refused_at_the_launch(slow):
    async with slow.engine() as engine:
        with pytest.raises(ConfigurationError, match=r"The launch wants slots of the pool 'tpu'"):
            await engine.launch(slow.request(ONE, "one", pool=PoolSpec("tpu")))
        assert await engine.executions() == []


async def test_what_asks_for_nothing_is_not_labelled(slow):
    async with slow.engine() as engine:
        await engine.launch(slow.request(ONE, "one"))
        assert LABEL not in (await engine.describe("one")).labels


@pytest.mark.parametrize(("policy", "left"), [(None, "ABORTED"), (LATER, "SUCCEEDED")])
async def test_a_launch_may_have_a_failure_policy_of_its_own(slow, policy, left):
    slow.executor = ScriptedExecutor(lambda r: Failed(ErrorInfo("ValueError", "no")) if "/bad/" in r.id else None)
    flow = make_closure({"bad": Job(), "good": Job()})
    async with slow.engine() as engine:
        request = slow.request(flow, "one", failure_policy=policy)
        await engine.launch(request)
        if policy is not None:
            await until(lambda: "one/good/0" in slow.executor.running)
            slow.executor.end("one/good/0")
        assert await engine.wait("one") == "FAILED"
        nodes = {node.id: str(node.phase) for node in (await engine.describe("one")).nodes}
        assert nodes == {"bad": "FAILED", "good": left}
        assert not (await engine.launch(request)).created


def test_a_policy_changes_the_workflow_alone():
    closure = under_policy(ONE, LATER)
    assert closure.workflow.failure_policy is LATER
    assert closure.root != ONE.root
    assert set(ONE.entities) - set(closure.entities) == {ONE.root}
    assert under_policy(ONE, None) is ONE
    assert under_policy(closure, LATER) is closure
