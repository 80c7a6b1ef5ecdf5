"""Limits of executions as authors write them: on workflows, launch plans, children; items of maps under a pool."""

import asyncio
import os
import types
from datetime import datetime

import pytest

from wingbeat import (
    CompileError,
    Concurrency,
    ExecutionFailed,
    InputError,
    Kernel,
    LaunchPlan,
    LimitReached,
    Pool,
    Retry,
    map_task,
    task,
    workflow,
)
from wingbeat.base.errors import NotFound
from wingbeat.kernel.remote import RemoteEngine

STATE = types.SimpleNamespace()  # not a list: values of globals are part of a task's code


@task
async def work(x: int) -> int:
    STATE.running += 1
    STATE.most = max(STATE.most, STATE.running)
    STATE.begun.append(x)
    try:
        await (STATE.gate.wait() if x >= 100 else asyncio.sleep(0.01))
    finally:
        STATE.running -= 1
    return x


@task(pool=Pool("desk"))
async def pooled(x: int) -> int:
    return await work.fn(x)


@workflow(concurrency=1)
def alone(x: int) -> int:
    return work(x)


@workflow(concurrency=Concurrency(1, "fail"))
def refusing(x: int) -> int:
    return work(x)


@workflow(concurrency=Concurrency(2, "skip", name="shared"))
async def dynamic(x: int) -> int:
    return await work(x)


@workflow
def free(x: int) -> int:
    return work(x)


at_most_two = LaunchPlan(free, name="two", concurrency=2)
skipping = LaunchPlan(free, name="skipping", concurrency=Concurrency(on_limit="skip"))
inherits = LaunchPlan(alone)


@workflow
def many(xs: list[int]) -> list[int]:
    return map_task(at_most_two)(xs)


@workflow
def pools_many(xs: list[int]) -> list[int]:
    return map_task(pooled)(xs)


@workflow
def narrow(xs: list[int]) -> list[int]:
    return map_task(work, concurrency=2)(map_task(free)(xs))


@workflow
def one_by_one(xs: list[int]) -> list[int]:
    return map_task(work, concurrency=1)(xs)


@task(retries=Retry(1, delay="1h"))
def broken(x: int) -> int:
    raise ValueError("no luck")


@workflow
def tried_again(x: int) -> int:
    return broken(x)


@workflow
def calls_inheriting(x: int) -> int:
    return inherits(x)


@workflow
def both(x: int, y: int) -> tuple[int, int]:
    return skipping(x), skipping(y)


@workflow
def some(xs: list[int]) -> list[int | None]:
    return map_task(skipping, min_successes=1)(xs)


@workflow(concurrency=Concurrency(name="same"))
def outer(x: int) -> int:
    return inner_plan(x)


inner_plan = LaunchPlan(free, concurrency=Concurrency(name="same"))


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")


@pytest.fixture
async def kernel(tmp_path):
    STATE.running, STATE.most, STATE.begun, STATE.gate = 0, 0, [], asyncio.Event()
    async with Kernel(
        tmp_path,
        inline=[work, pooled, broken],
        discover=False,
        settings={"pools": {"limits": {"desk": 3}}},
    ) as kernel:
        yield kernel


async def test_a_workflow_runs_alone(kernel):
    executions = [await kernel.launch(alone, {"x": i}) for i in range(5)]
    assert [await each.result() for each in executions] == list(range(5))
    assert (STATE.most, STATE.begun) == (1, list(range(5)))


async def test_children_of_a_map_wait_for_their_turn(kernel):
    execution = await kernel.launch(many, {"xs": list(range(8))}, name="mine")
    assert await execution.result() == list(range(8))
    assert STATE.most == 2


async def test_items_of_maps_of_all_executions_share_a_pool(kernel):
    executions = [await kernel.launch(pools_many, {"xs": list(range(8))}) for _ in range(3)]
    assert [await each.result() for each in executions] == [list(range(8))] * 3
    assert STATE.most == 3


async def test_an_item_that_waits_for_a_pool_says_so(kernel):
    execution = await kernel.launch(pools_many, {"xs": [100, 101, 102, 103]}, name="mine")
    await until(lambda: STATE.running == 3)
    told = await kernel.engine.explain_waiting("mine")
    assert "n0.3: waiting for pool 'desk': 3 of 3 slots are held by mine/n0.0/0, mine/n0.1/0, mine/n0.2/0" in told
    STATE.gate.set()
    await execution.result()


async def test_a_child_that_waits_is_told_of_through_its_parent(kernel):
    await kernel.launch(alone, {"x": 100}, name="holder")
    execution = await kernel.launch(calls_inheriting, {"x": 1}, name="mine")
    await until(lambda: kernel.engine._local._lives.keys() - {"holder", "mine"})
    told = await kernel.engine.explain_waiting("mine", "n0")
    assert told.startswith("n0: waits for the execution mine-")
    assert told.endswith("which has not begun: waiting for its turn: 1 of 1 of limit "
                         f"'{alone.name}' is held by holder")  # fmt: skip
    STATE.gate.set()
    assert await execution.result() == 1


async def test_a_child_that_waits_is_there_again_after_a_restart(tmp_path):
    STATE.running, STATE.most, STATE.begun, STATE.gate = 0, 0, [], asyncio.Event()
    async with Kernel(tmp_path, inline=[work, pooled], discover=False) as kernel:
        await kernel.launch(alone, {"x": 100}, name="holder")
        await kernel.launch(calls_inheriting, {"x": 1}, name="mine")
        await until(lambda: len(kernel.engine._local._lives) == 3)
        await kernel.launch(alone, {"x": 2}, name="later")
    async with Kernel(tmp_path, inline=[work, pooled], discover=False) as kernel:
        STATE.gate.set()
        assert await (await kernel.get("later")).result() == 2
        assert await (await kernel.get("mine")).result() == 1
        assert STATE.begun[-2:] == [1, 2]
        assert len(await kernel.engine.executions()) == 4


async def test_aborting_a_parent_aborts_the_child_that_waits(kernel):
    await kernel.launch(alone, {"x": 100}, name="holder")
    execution = await kernel.launch(calls_inheriting, {"x": 1})
    await until(lambda: len(kernel.engine._local._lives) == 3)
    await execution.abort("not wanted")
    assert STATE.begun == [100]
    STATE.gate.set()
    assert await (await kernel.launch(alone, {"x": 2})).result() == 2


async def test_a_launch_that_is_refused_names_the_holder(kernel):
    await kernel.launch(refusing, {"x": 100}, name="holder")
    with pytest.raises(LimitReached, match="is held by holder"):
        await kernel.launch(refusing, {"x": 1})
    STATE.gate.set()


async def test_a_dynamic_workflow_that_is_skipped(kernel):
    for name in ("one", "two"):
        await kernel.launch(dynamic, {"x": 100}, name=name)
    skipped = await kernel.launch(dynamic, {"x": 1})
    assert await skipped.wait() == "ABORTED"
    with pytest.raises(ExecutionFailed, match="skipped: 2 of 2 of limit 'shared' are held by one, two") as caught:
        await skipped.result()
    assert caught.value.code == "Skipped"
    STATE.gate.set()


async def test_a_parent_of_a_skipped_child_fails_and_does_not_wait(kernel):
    execution = await kernel.launch(both, {"x": 100, "y": 101})
    with pytest.raises(ExecutionFailed, match="skipped: 1 of 1 of limit 'skipping' is held by") as caught:
        await execution.result()
    assert caught.value.code == "Skipped"


async def test_a_map_that_need_not_have_all_goes_on_without_skipped_items(kernel):
    execution = await kernel.launch(some, {"xs": [1, 2, 3]})
    values = await execution.result()
    assert None in values
    assert set(values) - {None} <= {1, 2, 3}


async def test_a_child_of_the_same_limit_fails_instead_of_waiting_for_its_parent(kernel):
    execution = await kernel.launch(outer, {"x": 1}, name="mine")
    with pytest.raises(
        ExecutionFailed, match="would wait for ever: .* held by mine, and mine waits for its end"
    ) as caught:
        await execution.result()
    assert caught.value.code == "LimitReached"


@pytest.mark.parametrize("wrong", [0, -1, "2", Concurrency(0), Concurrency(on_limit="wait")])
def test_what_is_no_limit_is_told_with_its_line(wrong):
    with pytest.raises(CompileError, match=r"concurrency=.* is out of range \(test_concurrency.py:\d+\)"):
        LaunchPlan(free, concurrency=wrong)
    with pytest.raises(CompileError, match=r"concurrency=.* is out of range \(test_concurrency.py:\d+\)"):
        workflow(concurrency=wrong)(lambda: None)


async def test_a_launch_plan_is_launched_as_an_execution_of_its_workflow(kernel):
    plan = LaunchPlan(
        free, name="plan", fixed={"x": 100}, labels={"team": "eta"}, concurrency=Concurrency(on_limit="fail")
    )
    execution = await kernel.launch(plan, name="mine", labels={"by": "me"})
    view = await execution.describe()
    assert view.workflow == free.name
    assert {"team": "eta", "by": "me", "wingbeat/limit": "plan"}.items() <= view.labels.items()
    with pytest.raises(LimitReached, match="1 of 1 of limit 'plan' is held by mine"):
        await kernel.launch(plan)
    with pytest.raises(InputError, match="plan has no input 'x'"):
        await kernel.launch(plan, {"x": 1})
    with pytest.raises(CompileError, match="has no input 'y'"):
        await kernel.launch(LaunchPlan(free, inputs={"y": 1}))
    assert await (await kernel.launch(LaunchPlan(free, inputs={"x": 7}))).result() == 7
    STATE.gate.set()
    assert await execution.result() == 100
    assert await (await kernel.recover("mine")).result() == 100  # by itself, and under no limit but the workflow's


# -- for what something waits


async def test_an_item_says_that_it_waits_for_the_bound_of_its_map(kernel):
    execution = await kernel.launch(one_by_one, {"xs": [1, 100, 2]}, name="mine")
    await until(lambda: STATE.begun == [1, 100])
    told = kernel.engine.explain_waiting
    assert await told("mine", "n0.0") == "n0.0: has ended: SUCCEEDED"
    waits = (
        "waits for its turn: 1 of the items of n0 under way, and no more may be at once (concurrency=1); held by n0.1"
    )
    assert await told("mine", "n0.2") == f"n0.2: {waits}"
    assert "1 of its 3 items are under way (at most 1 at once: concurrency=1), 1 have succeeded" in await told("mine")
    with pytest.raises(NotFound, match="has no node 'n0.3'"):
        await told("mine", "n0.3")
    STATE.gate.set()
    await execution.result()


async def test_an_item_says_that_it_waits_for_the_map_before(kernel):
    execution = await kernel.launch(narrow, {"xs": [100, 101, 102]}, name="mine")
    await until(lambda: STATE.running == 3)
    assert (await kernel.engine.explain_waiting("mine", "n1.2")).endswith(
        "items that it takes from the maps before n1: n0.2"
    )
    STATE.gate.set()
    await execution.result()


async def test_an_item_and_its_only_node_are_told_once(kernel):
    execution = await kernel.launch(narrow, {"xs": [100, 101]}, name="mine")
    await until(lambda: STATE.running == 2)
    view = await execution.describe()
    assert [node.id for node in view.nodes] == ["n0", "n1", "n0.0", "n0.1"]
    assert [len(node.attempts) for node in view.nodes[2:]] == [1, 1]
    assert (await kernel.engine.explain_waiting("mine")).count("n0.0: ") == 1
    STATE.gate.set()
    await execution.result()
    assert [node.id for node in (await execution.describe()).nodes] == ["n0", "n1", "n0.0", "n0.1"]


async def test_a_node_between_attempts_says_until_when(kernel):
    execution = await kernel.launch(tried_again, {"x": 1}, name="mine")
    told = kernel.engine.explain_waiting
    async with asyncio.timeout(20):
        while "next attempt" not in await told("mine", "n0"):
            await asyncio.sleep(0.002)
    at = next(node.until for node in (await execution.describe()).nodes)
    when = f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"
    assert f"next attempt, at {when}; the last one ended with: " in await told("mine", "n0")
    await execution.abort("enough")


# -- a process that only reads


async def test_a_reader_asks_the_process_that_knows(kernel):
    await kernel.launch(alone, {"x": 100}, name="holder")
    await kernel.launch(alone, {"x": 1}, name="mine")
    execution = await kernel.launch(pools_many, {"xs": [100, 101, 102, 103]}, name="items")
    await until(lambda: STATE.running == 4)
    async with Kernel(kernel.home, read_only=True, discover=False) as reader:
        told = await reader.engine.explain_waiting("mine")
        assert told == f"mine has not begun: waiting for its turn: 1 of 1 of limit '{alone.name}' is held by holder"
        assert "3 of 3 slots are held by items/n0.0/0" in await reader.engine.explain_waiting("items", "n0.3")
        with pytest.raises(NotFound, match="has no node 'n7'"):
            await reader.engine.explain_waiting("items", "n7")
    STATE.gate.set()
    await execution.result()


async def test_a_reader_tells_what_the_journal_knows_when_nobody_runs(tmp_path):
    STATE.running, STATE.most, STATE.begun, STATE.gate = 0, 0, [], asyncio.Event()
    settings = {"pools": {"limits": {"desk": 1}}}
    async with Kernel(tmp_path, inline=[work, pooled], discover=False, settings=settings) as kernel:
        await kernel.launch(alone, {"x": 100}, name="holder")
        await kernel.launch(alone, {"x": 1}, name="mine")
        await kernel.launch(pools_many, {"xs": [100, 101]}, name="items")
        await (await kernel.launch(free, {"x": 1}, name="over")).result()
    async with Kernel(tmp_path, read_only=True, discover=False) as reader:
        told = await reader.engine.explain_waiting("mine")
        assert told == (
            f"mine has not begun: waiting for its turn: limit '{alone.name}' is 1, and is held by holder\n"
            "(no kernel runs: nothing goes on)"
        )
        told = await reader.engine.explain_waiting("items")
        assert "n0.1: attempt 0 waits for pool 'desk', or was given to its executor and has not begun" in told
        assert told.endswith("(no kernel runs: nothing goes on)")
        assert await reader.engine.explain_waiting("over") == "over has ended: SUCCEEDED."
        assert (await reader.engine.describe("mine")).reason == f"waiting for limit '{alone.name}'"


async def test_a_reader_says_so_when_the_holder_does_not_answer(kernel, monkeypatch):
    async def silent(home):
        raise TimeoutError

    await kernel.launch(alone, {"x": 100}, name="holder")
    await kernel.launch(alone, {"x": 1}, name="mine")
    async with Kernel(kernel.home, read_only=True, discover=False) as reader:
        monkeypatch.setattr(RemoteEngine, "connect", silent)
        told = await reader.engine.explain_waiting("mine")
        assert f"is held by holder\n(the process {os.getpid()}, which runs it, does not answer" in told
    STATE.gate.set()
