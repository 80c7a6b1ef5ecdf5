"""What the next engine finds on a journal, and what it does with what can no longer be read or run."""

import asyncio

import pytest

from wingbeat.base.errors import (
    EngineStopped,
    NotFound,
)
from wingbeat.contracts.executor import Aborted, Failed
from wingbeat.engine import engine as engine_module
from wingbeat.spec.entities import RetrySpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
CHAIN = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])
CACHED = make_closure({"a": Job(cache=True)}, returns=["a"])


async def until(condition, what="the condition"):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} did not come true")


async def run(engine, request):
    reply = await engine.launch(request)
    await engine.wait(reply.id)
    return await engine.describe(reply.id)


# -- poison


async def test_an_execution_that_cannot_be_read_is_set_aside_and_the_others_go_on(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(ONE, "bad"))
        await engine.launch(bench.request(ONE, "good"))
    journal = bench.make_journal()
    await journal.open("vandal")
    await journal._connection.execute("UPDATE facts SET body = x'00' WHERE execution = 'bad'")
    await journal.close()
    bench.executor = ScriptedExecutor()
    async with bench.engine() as engine:
        assert await engine.wait("good") == "SUCCEEDED"
        assert list(engine.quarantined) == ["bad"]
        for call in (engine.wait("bad"), engine.describe("bad"), engine.abort("bad", "")):
            with pytest.raises(NotFound, match="damaged at row 0"):
                await call


async def test_an_execution_that_breaks_the_machine_is_set_aside_and_the_others_go_on(bench, monkeypatch):
    step = engine_module.Machine.step

    def poisoned(self, event):
        if self.inputs.get("x") == Inline(13) and type(event).__name__ == "AttemptSucceeded":
            raise KeyError("a bug")
        return step(self, event)

    monkeypatch.setattr(engine_module.Machine, "step", poisoned)
    closure = make_closure({"a": Job(["x"])}, inputs=["x"])
    async with bench.engine() as engine:
        bad = await engine.launch(bench.request(closure, inputs={"x": 13}))
        with pytest.raises(NotFound, match="KeyError: 'a bug'"):
            await asyncio.wait_for(engine.wait(bad.id), 5)
        assert (await run(engine, bench.request(closure, inputs={"x": 1}))).phase == "SUCCEEDED"
    monkeypatch.undo()
    async with bench.engine() as engine:
        assert await engine.wait(bad.id) == "SUCCEEDED"


async def test_an_execution_whose_executor_is_gone_is_set_aside(bench):
    bench.more["moon"] = ScriptedExecutor(lambda request: None)
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(make_closure({"a": Job(executor="moon")})))
    bench.more.clear()
    async with bench.engine() as engine:
        with pytest.raises(NotFound, match="is to run on the executor 'moon'"):
            await engine.describe(reply.id)


# -- restart


async def test_what_runs_is_adopted_with_its_attempt_number(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN, "mine"))
        await until(lambda: bench.executor.running)
    assert bench.executor.closed == 1
    bench.executor = ScriptedExecutor()
    async with bench.engine() as engine:
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert bench.executor.recovered == ["mine/a/0"]
    assert sorted(bench.executor.submitted) == ["mine/a/0", "mine/b/0", "mine/c/0"]


async def test_a_restart_in_the_middle_of_stopping_goes_on_stopping(bench):
    bench.executor.behaviour = lambda request: None
    bench.executor.fail_cancels = 10**6
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        aborting = asyncio.create_task(engine.abort(reply.id, "enough"))
        await until(lambda: bench.executor.cancelled)
    with pytest.raises(EngineStopped):
        await aborting
    bench.executor = ScriptedExecutor()
    async with bench.engine() as engine:
        assert await engine.wait(reply.id) == "ABORTED"
    assert bench.executor.cancelled == [f"{reply.id}/a/0"]


async def test_a_retry_that_was_waited_for_comes_after_a_restart(bench):
    closure = make_closure({"a": Job(retry=RetrySpec(1, delay_s=0.2, jitter=0.0))})
    bench.executor.behaviour = lambda request: Failed(ErrorInfo("Bad", "bad"))
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: engine._lives[reply.id].machine.state.retrying)
        await asyncio.sleep(0)
        await until(lambda: not engine._lives[reply.id].facts)
    bench.executor.behaviour = None
    async with bench.engine() as engine:
        assert await engine.wait(reply.id) == "SUCCEEDED"
        assert [a.phase for a in (await engine.describe(reply.id)).nodes[0].attempts] == [
            "RETRYABLE_FAILED",
            "SUCCEEDED",
        ]


async def test_a_large_execution_restarts_from_its_snapshot(bench):
    bench.executor.behaviour = lambda r: None if "/last/" in r.id else success()
    jobs = {f"j{i}": Job() for i in range(2600)}
    closure = make_closure({**jobs, "last": Job()})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: engine._lives[reply.id].machine.state.remaining == 1)
        await until(lambda: engine._lives[reply.id].facts_since_snapshot < 100, "a snapshot was made")
        snapshot = await engine._journal.latest(reply.id)
        assert snapshot is not None
    journal = bench.make_journal()
    await journal.open("vandal")  # what is before the snapshot is not read again
    await journal._connection.execute("UPDATE facts SET body = x'00' WHERE sequence <= ?", (snapshot.sequence,))
    await journal.close()
    bench.executor = ScriptedExecutor()
    async with bench.engine() as engine:
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert list(bench.executor.submitted) == [f"{reply.id}/last/0"]


async def test_an_attempt_stopped_by_somebody_else_is_made_again(bench):
    bench.executor.behaviour = lambda r: Aborted("drained") if r.id.endswith("/0") else success()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert [a.phase for a in view.nodes[0].attempts] == ["RETRYABLE_FAILED", "SUCCEEDED"]


async def test_a_reservation_is_extended_by_the_kernel_that_adopts_its_attempt(bench):
    bench.catalog = MemoryCatalog()
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CACHED))
        await until(lambda: bench.executor.submitted)
    async with bench.engine() as engine:
        kept = engine._memo._reservations
        assert [owner for _, owner in kept.values()] == [f"{reply.id}/a"]
        assert {key.digest for key, _ in kept.values()} == set(bench.catalog.reservations)
