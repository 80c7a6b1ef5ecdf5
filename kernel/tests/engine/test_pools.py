"""Pools: slots that attempts of all executions share, and why one waits."""

import asyncio

import pytest

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.executor import AttemptRequest, Failed
from wingbeat.engine import pools
from wingbeat.spec.entities import Entry, Given, Interface, Number, Operation, PoolSpec, RetrySpec, TaskSpec, Text
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import ScriptedExecutor
from wingbeat.testing.plans import Job, make_closure


def flow(*specs):
    return make_closure({f"j{i}": Job(pool=spec) for i, spec in enumerate(specs)})


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")


@pytest.fixture
def slow(bench):
    """Attempts that run until they are ended by hand; two slots."""
    bench.executor = ScriptedExecutor(lambda _: None)
    bench.pools = {"gpu": 2}
    return bench


async def test_no_more_attempts_than_slots_are_submitted_over_all_executions(slow):
    async with slow.engine() as engine:
        replies = [await engine.launch(slow.request(flow(PoolSpec("gpu"), PoolSpec("gpu")), f"x{i}")) for i in range(3)]
        await until(lambda: len(slow.executor.running) == 2)
        for _ in range(6):
            await until(lambda: len(slow.executor.running) in (1, 2))
            assert len(slow.executor.running) <= 2
            slow.executor.end(next(iter(slow.executor.running)))
        for reply in replies:
            assert await engine.wait(reply.id) == "SUCCEEDED"


BY_ATTEMPT = {
    "pool.name": Operation("where", (Operation("eq", (Given("attempt"), Number(0))), Text("gpu"), Text("spare")))
}


async def test_the_pool_of_an_attempt_may_follow_from_the_one_before(slow):
    slow.pools = {"gpu": 1, "spare": 1}
    job = Job(pool=PoolSpec("?"), formulas=BY_ATTEMPT, retry=RetrySpec(count=1, delay_s=0.0))
    async with slow.engine() as engine:
        await engine.launch(slow.request(make_closure({"j0": job}), "first"))
        await until(lambda: "first/j0/0" in slow.executor.running)
        await engine.launch(slow.request(make_closure({"j0": job}), "second"))
        await until(lambda: "second/j0/0" in engine._pools._pool_of)
        told = await engine.explain_waiting("second")
        assert told == "j0: waiting for pool 'gpu': 1 of 1 slots are held by first/j0/0"
        slow.executor.end("first/j0/0", Failed(ErrorInfo("ValueError", "no", ErrorKind.USER)))
        await until(lambda: {"first/j0/1", "second/j0/0"} <= slow.executor.running.keys())
        assert engine._pools._pool_of == {"first/j0/1": "spare", "second/j0/0": "gpu"}
    async with slow.engine() as engine:  # what runs has its slots
        assert engine._pools._pool_of == {"first/j0/1": "spare", "second/j0/0": "gpu"}
        for attempt in ("first/j0/1", "second/j0/0"):
            slow.executor.end(attempt)
        assert await engine.wait("first") == await engine.wait("second") == "SUCCEEDED"


async def test_a_pool_that_a_formula_names_and_is_not_set_up_is_told_at_the_launch_or_at_the_attempt(slow):
    job = Job(pool=PoolSpec("?"), formulas=BY_ATTEMPT)
    first = Operation("eq", (Given("attempt"), Number(0)))
    by_error = {"pool.name": Operation("where", (first, Text("gpu"), Given("error.code")))}
    late = Job(pool=PoolSpec("?"), formulas=by_error, retry=RetrySpec(count=1, delay_s=0.0))
    async with slow.engine() as engine:
        with pytest.raises(ConfigurationError, match="wants slots of the pool 'spare', which is not set up"):
            await engine.launch(slow.request(make_closure({"j0": job}), "known"))
        await engine.launch(slow.request(make_closure({"j0": late}), "late"))
        await until(lambda: "late/j0/0" in slow.executor.running)
        slow.executor.end("late/j0/0", Failed(ErrorInfo("ValueError", "no", ErrorKind.USER)))
        assert await engine.wait("late") == "FAILED"
        told = (await engine.describe("late")).error.message
        assert "Task jobs.j0 wants slots of the pool 'ValueError', which is not set up." in told


async def test_weights_and_priorities_decide_who_is_next(slow):
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow(PoolSpec("gpu", weight=2)), "first"))
        await until(lambda: slow.executor.running)
        await engine.launch(slow.request(flow(PoolSpec("gpu")), "low"))
        await engine.launch(slow.request(flow(PoolSpec("gpu", weight=9, priority=5)), "high"))
        await until(lambda: "high/j0/0" in engine._pools._pool_of)
        slow.executor.end("first/j0/0")
        await until(lambda: "high/j0/0" in slow.executor.running)  # a weight over the limit takes all of it
        assert "low/j0/0" not in slow.executor.running
        slow.executor.end("high/j0/0")
        await until(lambda: "low/j0/0" in slow.executor.running)


def test_who_waits_long_enough_comes_before_who_is_more_important():
    def waiting(priority, since, number):
        return pools._Waiting(None, PoolSpec("gpu", priority=priority), since, number)

    old, new = waiting(0, 0.0, 1), waiting(3, 1000.0, 2)
    assert old.rank(1000.0) < new.rank(1000.0)
    assert new.rank(1000.0) < waiting(0, 999.0, 3).rank(1000.0)


async def test_slots_are_free_again_however_an_attempt_ends(slow):
    async with slow.engine() as engine:
        for i in range(3):
            await engine.launch(slow.request(flow(PoolSpec("gpu", weight=2)), f"x{i}"))
        await until(lambda: "x0/j0/0" in slow.executor.running)
        slow.executor.end("x0/j0/0", Failed(ErrorInfo("Bad", "bad", retryable=False)))
        await until(lambda: "x1/j0/0" in slow.executor.running)
        await engine.abort("x2", "it waits, and need not")
        assert "x2/j0/0" not in slow.executor.running
        assert slow.executor.submitted["x2/j0/0"] == 1  # by its cancellation alone
        await engine.abort("x1", "it runs")
        await engine.launch(slow.request(flow(PoolSpec("gpu", weight=2)), "x3"))
        await until(lambda: "x3/j0/0" in slow.executor.running)


async def test_after_a_restart_what_runs_holds_its_slots(slow):
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow(*[PoolSpec("gpu")] * 4), "x"))
        await until(lambda: len(slow.executor.running) == 2)
        for attempt in slow.executor.running:
            slow.executor.sink.running(attempt)
        await asyncio.sleep(0.05)
    async with slow.engine() as engine:
        await asyncio.sleep(0.05)
        assert sorted(slow.executor.recovered) == sorted(slow.executor.running)
        assert len(slow.executor.running) == 2
        for _ in range(4):
            await until(lambda: slow.executor.running)
            slow.executor.end(next(iter(slow.executor.running)))
            await asyncio.sleep(0.02)
        assert await engine.wait("x") == "SUCCEEDED"
    assert {a: n for a, n in slow.executor.submitted.items() if n > 1} == dict.fromkeys(slow.executor.recovered, 2)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_after_a_restart_what_was_submitted_and_has_not_said_that_it_runs_holds_its_slots(slow, cancelled):
    slow.pools, heavy = {"gpu": 1}, PoolSpec("gpu", priority=9)
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow(PoolSpec("gpu")), "submitted"))
        await until(lambda: "submitted/j0/0" in slow.executor.running)
        await engine.launch(slow.request(flow(heavy), "waits"))
        await until(lambda: "waits/j0/0" in engine._pools._pool_of)
        if cancelled:
            slow.executor.fail_cancels = 10**6
            aborting = asyncio.create_task(engine.abort("submitted", "enough"))
            await until(lambda: slow.executor.cancelled)
            await asyncio.sleep(0.05)
            aborting.cancel()
    async with slow.engine() as engine:
        await asyncio.sleep(0.05)
        assert list(slow.executor.running) == ["submitted/j0/0"]
        assert "held by submitted/j0/0" in await engine.explain_waiting("waits", "j0")
        slow.executor.fail_cancels = 0
        slow.executor.end("submitted/j0/0")
        await until(lambda: "waits/j0/0" in slow.executor.running)


async def test_that_an_attempt_has_its_slots_is_durable_before_it_is_submitted(slow):
    seen = []
    slow.executor.behaviour = lambda request: seen.append(engine._lives["x"].machine.state.node(0).attempts[-1].granted)
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow(PoolSpec("gpu")), "x"))
        await until(lambda: seen)
        assert seen == [True]
        slow.executor.end("x/j0/0")
        await engine.wait("x")
        events = [event.phase async for event in engine.events("x", -1) if event.kind == "attempt"]
    assert events == ["QUEUED", "INITIALIZING"]


async def test_after_a_restart_who_came_first_is_still_first(slow):
    slow.pools = {"gpu": 1}
    async with slow.engine() as engine:
        for name in ("busy", "c", "a", "b"):
            await engine.launch(slow.request(flow(PoolSpec("gpu")), name))
            await until(lambda name=name: f"{name}/j0/0" in engine._pools._pool_of)
        slow.executor.sink.running("busy/j0/0")
        await until(lambda: engine._lives["busy"].machine.state.node(0).open_attempt.started_at)
        await engine.describe("busy")  # that is durable
    async with slow.engine() as engine:
        for name in ("busy", "c", "a", "b"):
            await until(lambda name=name: list(slow.executor.running) == [f"{name}/j0/0"])
            slow.executor.end(f"{name}/j0/0")


async def test_what_is_adopted_is_given_to_its_executor_in_the_order_of_arrival(slow):
    names = ("d", "c", "a", "b")
    async with slow.engine() as engine:
        for name in names:
            await engine.launch(slow.request(flow(None), name))
            await until(lambda name=name: f"{name}/j0/0" in slow.executor.running)
    async with slow.engine():
        assert slow.executor.recovered == [f"{name}/j0/0" for name in names]


def test_a_clock_that_is_set_back_lets_nobody_overtake():
    class Clock:
        at = 10_000.0

        def now(self):
            return self.at

    gone, clock, spec = [], Clock(), PoolSpec("gpu")
    line = pools.Pools({"gpu": 1}, clock, lambda _: None, lambda request: gone.append(request.id), lambda *_: None)
    for id in ("x/busy/0", "x/old/0", "x/new/0"):
        line.submit(AttemptRequest(id, TaskSpec("jobs.a", Interface((), ()), Entry("jobs", "a"), pool=spec), {}))
        clock.at -= 3000.0
    clock.at += 3100.0
    line.forget("x/busy")
    assert gone == ["x/busy/0", "x/old/0"]


async def test_why_something_waits_names_the_holder(slow):
    async with slow.engine() as engine:
        jobs = {"a": Job(pool=PoolSpec("gpu", weight=2)), "b": Job(pool=PoolSpec("gpu")), "c": Job(["b"])}
        await engine.launch(slow.request(make_closure(jobs), "x"))
        await until(lambda: slow.executor.running)
        told = await engine.explain_waiting("x")
        assert "b: waiting for pool 'gpu': 2 of 2 slots are held by x/a/0" in told
        assert "c: waits for b (QUEUED)" in told
        assert (await engine.explain_waiting("x", "a")).startswith("a: attempt 0 was given to its executor")


async def test_what_was_waited_for_is_not_told_any_more_when_it_came(slow):
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow(*[PoolSpec("gpu", weight=2)] * 2), "x"))
        await until(lambda: slow.executor.running)
        assert "waiting for pool" in await engine.explain_waiting("x", "j1")
        slow.executor.end("x/j0/0")
        await until(lambda: "x/j1/0" in slow.executor.running)
        assert await engine.explain_waiting("x", "j1") == "j1: attempt 0 was given to its executor and has not begun"
        slow.executor.sink.progress("x/j1/0", "INITIALIZING", "pulling")
        assert await engine.explain_waiting("x", "j1") == "j1: initializing: pulling"
        slow.executor.sink.running("x/j1/0")
        await until(lambda: engine._lives["x"].machine.state.nodes[1].phase == "RUNNING")
        assert await engine.explain_waiting("x", "j1") == "j1: runs: attempt 0"


async def test_a_pool_that_nobody_set_up_is_refused(slow):
    async with slow.engine() as engine:
        with pytest.raises(ConfigurationError, match="'tpu', which is not set up"):
            await engine.launch(slow.request(flow(PoolSpec("tpu"))))
