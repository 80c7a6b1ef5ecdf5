"""What an engine does with a journal that fails, or whose disk is full."""

import asyncio

import pytest

from wingbeat.base.errors import (
    JournalUnknown,
    NotFound,
)
from wingbeat.contracts.journal import StorageFull
from wingbeat.engine import engine as engine_module
from wingbeat.engine import live
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
CHAIN = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])


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


class Failing:
    """A journal that fails in its next appends as it is told."""

    def __init__(self, journal):
        self._journal = journal
        self.errors = []
        self.after = False

    def __getattr__(self, name):
        return getattr(self._journal, name)

    async def append(self, batch, fence):
        if self.errors:
            if self.after:
                await self._journal.append(batch, fence)
            raise self.errors.pop(0)
        await self._journal.append(batch, fence)


@pytest.mark.parametrize("after", [False, True], ids=["nothing was written", "it was written"])
async def test_a_commit_of_unknown_outcome_stops_the_engine_and_reopening_goes_on(bench, after):
    bench.executor.behaviour = lambda request: None
    journal = Failing(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE, "mine"))
        await until(lambda: bench.executor.running)
        waiting = asyncio.create_task(engine.wait(reply.id))
        await asyncio.sleep(0)
        journal.errors, journal.after = [JournalUnknown("the disk said EIO")], after
        bench.executor.end(f"{reply.id}/a/0")
        with pytest.raises(JournalUnknown, match="EIO"):
            await waiting
        with pytest.raises(JournalUnknown):
            await engine.wait(reply.id)
        with pytest.raises(JournalUnknown):
            await engine.launch(bench.request(ONE))
    bench.journal = bench.make_journal
    bench.executor.behaviour = lambda request: success()
    bench.executor.submitted.clear()
    async with bench.engine() as engine:
        assert await engine.wait("mine") == "SUCCEEDED"
        assert len(bench.executor.recovered) == (0 if after else 1)


async def test_a_launch_whose_commit_fails_raises(bench):
    journal = Failing(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine:
        journal.errors = [JournalUnknown("the disk said EIO")]
        with pytest.raises(JournalUnknown, match="EIO"):
            await asyncio.wait_for(engine.launch(bench.request(ONE)), 5)


async def test_a_full_disk_pauses_and_refuses_new_work_until_there_is_room(bench, monkeypatch):
    monkeypatch.setattr(engine_module, "FULL_AGAIN_S", 0.01)
    bench.executor.behaviour = lambda request: None
    journal = Failing(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        journal.errors = [StorageFull("full")] * 10**6
        bench.executor.end(f"{reply.id}/a/0")
        await until(lambda: engine._full)
        with pytest.raises(StorageFull):
            await engine.launch(bench.request(ONE))
        assert (await engine.describe(reply.id)).id == reply.id
        journal.errors = []
        assert await asyncio.wait_for(engine.wait(reply.id), 5) == "SUCCEEDED"
        await until(lambda: not engine._full)
        assert (await engine.launch(bench.request(ONE))).created


async def test_the_first_launches_that_meet_a_full_disk_are_refused_and_leave_nothing(bench):
    class Waiting(Failing):
        async def append(self, batch, fence):
            await go.wait()
            await super().append(batch, fence)

    go, closure = asyncio.Event(), make_closure({"a": Job(cache=True)}, timeout_s=1000)
    bench.catalog = MemoryCatalog()
    journal = Waiting(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine, asyncio.timeout(10):
        journal.errors = [StorageFull("The disk is full: here.", hint="Make room.")]
        names = ["one", "two", "three"]
        launches = [asyncio.create_task(engine.launch(bench.request(closure, name))) for name in (*names, "one")]
        await until(lambda: "three" in engine._lives)
        waiting = asyncio.create_task(engine.wait("two"))
        await until(lambda: engine._lives["two"].waiters)
        go.set()
        for said in await asyncio.gather(*launches, waiting, return_exceptions=True):
            assert isinstance(said, StorageFull)
            assert "Make room" in str(said)
        assert engine.idle()
        assert not (engine._timers._heap or bench.catalog.calls or engine._launching or engine._inbox)
        with pytest.raises(NotFound):
            await engine.describe("two")
        for name in names:  # there is room again
            assert (await engine.launch(bench.request(closure, name))).created
            assert await engine.wait(name) == "SUCCEEDED"


async def test_a_full_disk_refuses_what_is_launched_and_keeps_what_runs(bench, monkeypatch):
    monkeypatch.setattr(engine_module, "FULL_AGAIN_S", 0.01)
    bench.executor.behaviour = lambda request: None
    journal = Failing(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine, asyncio.timeout(10):
        await engine.launch(bench.request(ONE, "old"))
        await until(lambda: bench.executor.running)
        journal.errors = [StorageFull("full")] * 10**6
        bench.executor.end("old/a/0")
        launch = engine.launch(bench.request(ONE, "new"))  # in one batch with the end of the other
        with pytest.raises(StorageFull):
            await launch
        await until(lambda: engine._full)
        assert not (await engine.launch(bench.request(ONE, "old"))).created, "it is there"
        journal.errors = []
        assert await engine.wait("old") == "SUCCEEDED"


async def test_reports_to_an_engine_that_has_stopped_are_not_kept(bench):
    bench.executor.behaviour = lambda request: None
    journal = Failing(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine:
        await engine.launch(bench.request(CHAIN, "mine"))
        await until(lambda: bench.executor.running)
        journal.errors = [JournalUnknown("the disk said EIO")]
        with pytest.raises(JournalUnknown):
            await engine.launch(bench.request(ONE))
        for _ in range(1000):
            bench.executor.sink.running("mine/a/0")
            bench.executor.sink.ended("mine/a/0", success())
        assert not engine._inbox
    bench.journal = bench.make_journal
    bench.executor = ScriptedExecutor()
    async with bench.engine() as engine:
        assert await engine.wait("mine") == "SUCCEEDED"


async def test_a_snapshot_that_finds_the_disk_full_stops_nothing(bench, monkeypatch):
    monkeypatch.setattr(live, "SNAPSHOT_FACTS_MIN", 1)

    class Full(Failing):
        async def snapshot(self, snapshot, fence):
            self.snapshots = getattr(self, "snapshots", 0) + 1
            raise StorageFull("full")

    journal = Full(bench.make_journal())
    bench.journal = lambda: journal
    async with bench.engine() as engine:
        assert (await run(engine, bench.request(CHAIN))).phase == "SUCCEEDED"
    assert journal.snapshots


async def test_a_second_engine_on_the_journal_shuts_the_first_out(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as old:
        reply = await old.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        first, bench.executor = bench.executor, ScriptedExecutor()
        async with bench.engine() as new:
            assert await new.wait(reply.id) == "SUCCEEDED"
            first.end(f"{reply.id}/a/0")
            with pytest.raises(Exception, match="taken over"):
                await old.launch(bench.request(ONE))
