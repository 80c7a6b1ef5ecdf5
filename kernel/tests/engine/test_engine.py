"""The engine among stand-ins: what it does with executors and journals that misbehave."""

import asyncio

import pytest

from wingbeat.base.errors import (
    ConfigurationError,
    ConflictError,
    EngineStopped,
    ErrorKind,
    InputError,
    JournalUnknown,
    NotFound,
)
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.executor import Aborted, Failed
from wingbeat.contracts.journal import StorageFull
from wingbeat.engine import engine as engine_module
from wingbeat.engine import live
from wingbeat.spec.entities import RetrySpec, TimeoutSpec, WrapperSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure, replace_task

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


# -- launch


async def test_a_chain_runs_and_gives_its_outputs(bench):
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CHAIN))
    assert (view.phase, view.outputs) == ("SUCCEEDED", {"o0": Inline(1)})
    assert [n.phase for n in view.nodes] == ["SUCCEEDED"] * 3
    assert bench.executor.submitted == {f"{view.id}/{n}/0": 1 for n in "abc"}


async def test_a_name_makes_the_launch_idempotent(bench):
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE, "mine"))
        again = await engine.launch(bench.request(ONE, "mine"))
        await engine.wait("mine")
        late = await engine.launch(bench.request(ONE, "mine"))
    assert [first.created, again.created, late.created] == [True, False, False]
    async with bench.engine() as engine:
        assert not (await engine.launch(bench.request(ONE, "mine"))).created
    assert sum(bench.executor.submitted.values()) == 1


async def test_a_name_with_another_content_is_a_conflict(bench):
    closure = make_closure({"a": Job(["x"])}, inputs=["x"])
    async with bench.engine() as engine:
        await engine.launch(bench.request(closure, "mine", {"x": 1}))
        for other in (bench.request(closure, "mine", {"x": 2}), bench.request(CHAIN, "mine", {})):
            with pytest.raises(ConflictError, match="'mine' is there already"):
                await engine.launch(other)


async def test_launches_of_one_name_at_once_give_one_execution(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        replies = await asyncio.gather(*(engine.launch(bench.request(ONE, "mine")) for _ in range(20)))
        assert [r.created for r in replies].count(True) == 1
        assert len(await engine.executions()) == 1
        await until(lambda: bench.executor.running)
    assert sum(bench.executor.submitted.values()) == 1


async def test_launches_of_one_name_that_recover_at_once_give_one_execution(bench):
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE, "old"))
        requests = [bench.request(ONE, "new", recover="old") for _ in range(10)]
        replies = await asyncio.gather(*(engine.launch(r) for r in requests))
        assert [r.created for r in replies].count(True) == 1


async def test_a_launch_answers_with_one_of_its_name_that_began_and_ended_while_it_looked(bench):
    class Journal(SQLiteJournal):
        async def record(self, execution):
            found = await super().record(execution)
            if not looked:
                looked.append(execution)
                await run(engine, bench.request(ONE, "mine"))
            return found

    looked = []
    bench.journal = lambda: Journal(bench.place / "journal.sqlite")
    async with bench.engine() as engine:
        reply = await asyncio.wait_for(engine.launch(bench.request(ONE, "mine")), 5)
        assert (reply.id, reply.created) == ("mine", False)
        assert (await engine.describe("mine")).phase == "SUCCEEDED"
        await run(engine, bench.request(ONE, "next"))


async def test_a_launch_of_a_name_that_was_adopted_answers_with_it(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(ONE, "mine"))
    async with bench.engine() as engine:
        reply = await asyncio.wait_for(engine.launch(bench.request(ONE, "mine")), 5)
        assert not reply.created


@pytest.mark.parametrize("name", ["UPPER", "a/b", "..", "a" * 64, "-a", "a b"])
async def test_a_name_that_cannot_be_an_id_is_refused(bench, name):
    async with bench.engine() as engine:
        with pytest.raises(InputError, match="cannot name an execution"):
            await engine.launch(bench.request(ONE, name))


async def test_resume_leaves_alone_what_somebody_follows(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE))
        follower = engine.events(first.id)
        await anext(follower)
        assert (await engine.launch(bench.request(ONE, resume=True))).id != first.id
        await follower.aclose()


async def test_resume_takes_what_nobody_waits_for_and_nothing_that_has_ended(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE))
        assert (await engine.launch(bench.request(ONE, resume=True))).id == first.id
        waiting = asyncio.create_task(engine.wait(first.id))
        await asyncio.sleep(0)
        assert (await engine.launch(bench.request(ONE, resume=True))).id != first.id
        bench.executor.end(f"{first.id}/a/0")
        await waiting
        assert (await engine.launch(bench.request(CHAIN, resume=True))).created


async def test_an_executor_that_is_not_installed_is_refused_before_anything_is_written(bench):
    async with bench.engine() as engine:
        with pytest.raises(ConfigurationError, match="is to run on the executor 'moon'"):
            await engine.launch(bench.request(make_closure({"a": Job(executor="moon")})))
        assert await engine.executions() == []


async def test_more_launches_than_one_turn_takes_are_durable_with_their_first_fact(bench, monkeypatch):
    monkeypatch.setattr(engine_module, "DRAIN_MAX", 3)
    async with bench.engine() as engine:
        launches = [asyncio.create_task(engine.launch(bench.request(ONE, f"e{i}"))) for i in range(10)]
        await asyncio.wait(launches, return_when=asyncio.FIRST_COMPLETED)
        journal = engine._journal
        for launch in launches:
            if launch.done():
                assert await journal.read(launch.result().id), "acknowledged, so it can go on after a crash"
        for record in await journal.records():
            assert await journal.read(record.execution)
        await asyncio.gather(*launches)


# -- unknown ids


async def test_what_does_not_exist_is_not_found(bench):
    async with bench.engine() as engine:
        for call in (engine.wait, engine.describe, engine.closure):
            with pytest.raises(NotFound, match="no execution 'nope'"):
                await call("nope")
        with pytest.raises(NotFound):
            await engine.abort("nope", "")
        with pytest.raises(NotFound):
            [e async for e in engine.events("nope")]
        with pytest.raises(NotFound):
            await engine.launch(bench.request(ONE, recover="nope"))


# -- failures, abort


async def test_a_failure_names_the_node_the_code_and_who_has_to_act(bench):
    bench.executor.behaviour = lambda r: Failed(ErrorInfo("KeyError", "no such key")) if "/b/" in r.id else success()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CHAIN))
    assert view.phase == "FAILED"
    assert view.error is not None
    assert (view.error.node, view.error.code, view.error.kind) == ("b", "KeyError", ErrorKind.USER)


async def test_abort_returns_when_everything_has_ended(bench):
    bench.executor.behaviour = lambda request: None
    closure = make_closure({"a": Job(), "b": Job()})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: len(bench.executor.running) == 2)
        await engine.abort(reply.id, "enough")
        view = await engine.describe(reply.id)
        assert (view.phase, view.reason, view.error) == ("ABORTED", "enough", None)
        assert bench.executor.running == {}
        await engine.abort(reply.id, "again")
        assert (await engine.describe(reply.id)).reason == "enough"


async def test_what_is_aborted_before_its_turn_is_never_submitted(bench):
    gate = asyncio.Event()
    bench.executor.behaviour = lambda request: gate.wait()
    closure = make_closure({f"j{i}": Job() for i in range(5)})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: bench.executor.running)
        await engine.abort(reply.id, "enough")
        bench.executor.behaviour = None
        gate.set()
        await run(engine, bench.request(ONE, "later"))
    assert [a for a, n in bench.executor.submitted.items() if n > 1 and not a.startswith("later")] == [
        f"{reply.id}/j0/0"
    ]


# -- executors that misbehave


async def test_an_executor_that_raises_on_submit_is_asked_again(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.001)
    bench.executor.fail_submits = 2
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert view.phase == "SUCCEEDED"


async def test_an_executor_that_always_raises_fails_the_attempt_for_the_system(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.0001)
    monkeypatch.setattr("wingbeat.machine.attempts.SYSTEM", RetrySpec(count=1, delay_s=0))
    bench.executor.fail_submits = 10**6
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert view.phase == "FAILED"
    assert view.error is not None
    assert (view.error.code, view.error.kind) == ("ExecutorFailed", ErrorKind.SYSTEM)
    assert "'process' did not take the attempt: OSError" in view.error.message


async def test_an_executor_that_hangs_delays_only_its_own(bench):
    bench.more["slow"] = ScriptedExecutor(lambda request: asyncio.Event().wait())
    closure = make_closure({"a": Job(executor="slow", timeout=TimeoutSpec(queue_s=0.05))})
    async with bench.engine() as engine:
        hanging = await engine.launch(bench.request(closure))
        assert (await run(engine, bench.request(CHAIN))).phase == "SUCCEEDED"
        await engine.wait(hanging.id)
        view = await engine.describe(hanging.id)
    assert view.error is not None
    assert view.error.code == "TimedOut"


async def test_a_cancel_that_fails_is_tried_until_the_attempt_is_gone(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.001)
    bench.executor.behaviour = lambda request: None
    bench.executor.fail_cancels = 3
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        await engine.abort(reply.id, "enough")
    assert len(bench.executor.cancelled) == 4


async def test_reports_that_are_doubled_late_or_foreign_are_ignored(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN))
        await until(lambda: bench.executor.running)
        for attempt in (
            "nonsense",
            "a/b",
            "no/such/0",
            f"{reply.id}/zzz/0",
            f"{reply.id}/a/7",
            f"{reply.id}/c/0",
            "x/y/z",
        ):
            bench.executor.sink.ended(attempt, Failed(ErrorInfo("Bad", "bad")))
            bench.executor.sink.running(attempt)
            bench.executor.sink.progress(attempt, "INITIALIZING", "x")
        for _ in range(3):
            bench.executor.sink.ended(f"{reply.id}/a/0", success(5))
        bench.executor.sink.ended(f"{reply.id}/a/0", Failed(ErrorInfo("Bad", "bad")))
        for node in "bc":
            await until(lambda node=node: f"{reply.id}/{node}/0" in bench.executor.running)
            bench.executor.end(f"{reply.id}/{node}/0", success(6))
        assert await engine.wait(reply.id) == "SUCCEEDED"
        assert all(len(n.attempts) == 1 for n in (await engine.describe(reply.id)).nodes)


async def test_an_attempt_without_all_its_outputs_has_failed(bench):
    bench.executor.behaviour = lambda request: success(1, "other")
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert view.error is not None
    assert (view.error.code, view.error.message) == ("OutputsNotFound", "The attempt ended without its output 'o0'.")


async def test_what_an_executor_says_while_an_attempt_waits_is_shown(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        bench.executor.sink.progress(f"{reply.id}/a/0", "WAITING_FOR_RESOURCES", "all slots are taken")
        assert (await engine.describe(reply.id)).nodes[0].reason == "waiting for resources: all slots are taken"


# -- timeouts by the clock


async def test_timeouts_work_by_the_clock(bench):
    bench.executor.behaviour = lambda request: None
    closure = make_closure({"a": Job(timeout=TimeoutSpec(queue_s=0.02))}, timeout_s=30)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(closure))
    assert view.error is not None
    assert view.error.code == "TimedOut"
    async with bench.engine() as engine:
        view = await run(engine, bench.request(make_closure({"a": Job()}, timeout_s=0.02)))
    assert view.phase == "TIMED_OUT"


# -- recover


async def test_recover_takes_over_what_succeeded(bench):
    bench.executor.behaviour = lambda r: Failed(ErrorInfo("Bad", "bad")) if "/c/" in r.id else success(7)
    async with bench.engine() as engine:
        old = await run(engine, bench.request(CHAIN, "old"))
        assert old.phase == "FAILED"
        bench.executor.behaviour = None
        reply = await engine.launch(bench.request(CHAIN, "new", recover="old"))
        await engine.wait("new")
        view = await engine.describe("new")
    assert reply.recovered == 2
    assert [n.phase for n in view.nodes] == ["RECOVERED", "RECOVERED", "SUCCEEDED"]
    assert view.nodes[0].source == "old"
    assert view.nodes[0].outputs == {"o0": Inline(7)}
    assert [a for a in bench.executor.submitted if a.startswith("new/")] == ["new/c/0"]


async def test_recover_runs_again_what_changed_and_what_follows_from_it(bench):
    changed = replace_task(CHAIN, "jobs.b", code="other code")
    async with bench.engine() as engine:
        await run(engine, bench.request(CHAIN, "old"))
        reply = await engine.launch(bench.request(changed, "new", recover="old"))
        await engine.wait("new")
    assert reply.recovered == 1
    assert sorted(a for a in bench.executor.submitted if a.startswith("new/")) == ["new/b/0", "new/c/0"]


async def test_recover_runs_again_what_is_configured_otherwise(bench):
    configured = WrapperSpec("spark", "wingbeat_spark.wrapper:SparkWrapper", {"executors": 2})
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE, "old"))
        for change in ({"wrappers": (configured,)}, {"variables": {"MODE": "fast"}}):
            closure = replace_task(ONE, "jobs.a", **change)
            view = await run(engine, bench.request(closure, recover="old"))
            assert view.nodes[0].phase == "SUCCEEDED"


async def test_recover_with_other_inputs_runs_again_what_reads_them(bench):
    closure = make_closure({"a": Job(), "b": Job(["a", "x"])}, inputs=["x"])
    async with bench.engine() as engine:
        await run(engine, bench.request(closure, "old", {"x": 1}))
        reply = await engine.launch(bench.request(closure, "new", {"x": 2}, recover="old"))
        await engine.wait("new")
    assert reply.recovered == 1


# -- journals that fail


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


async def test_closing_twice_is_closing(bench):
    async with bench.engine() as engine:
        await engine.close()
        with pytest.raises(EngineStopped):
            await engine.launch(bench.request(ONE))


async def test_a_thousand_executions_at_once(bench):
    async with bench.engine() as engine:
        replies = await asyncio.gather(*(engine.launch(bench.request(CHAIN)) for _ in range(1000)))
        phases = await asyncio.gather(*(engine.wait(r.id) for r in replies))
        assert set(phases) == {"SUCCEEDED"}
        assert engine.idle()
        assert len(await engine.executions(limit=10**6)) == 1000


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
