"""Limits of executions: who begins, who waits, who gives way, over crashes and aborts."""

import asyncio

import pytest

from wingbeat.base.errors import LimitReached
from wingbeat.contracts.executor import Aborted
from wingbeat.engine import admission
from wingbeat.engine.routes import Routes
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.labels import within
from wingbeat.testing.fakes import ScriptedExecutor
from wingbeat.testing.plans import Job, make_closure


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")


@pytest.fixture
def slow(bench):
    """Attempts that run until they are ended by hand."""
    bench.executor = ScriptedExecutor(lambda _: None)
    return bench


class Stubborn(ScriptedExecutor):
    """Attempts take their time to stop."""

    async def cancel(self, attempt, reason):
        self.cancelled.append(attempt)


FLOW = make_closure({"a": Job()})


async def launch(slow, engine, name, on_limit="queue", limit=1, **more):
    spec = ConcurrencySpec("nightly", limit, on_limit, more.pop("priority", 0))
    return await engine.launch(slow.request(FLOW, name, concurrency=spec, **more))


async def phase(engine, name):
    return str((await engine.describe(name)).phase)


async def test_those_beyond_the_limit_wait_their_turn(slow):
    async with slow.engine() as engine:
        for name in ("one", "two", "three"):
            await launch(slow, engine, name)
        assert [await phase(engine, n) for n in ("one", "two", "three")] == ["RUNNING", "QUEUED", "QUEUED"]
        assert {s.id: str(s.phase) for s in await engine.executions()}["two"] == "QUEUED"
        told = "waiting for its turn: 1 of 1 of limit 'nightly' is held by one"
        assert await engine.explain_waiting("two") == f"two has not begun: {told}"
        assert (await engine.describe("three")).reason == f"{told}; 1 is before it: two"
        slow.executor.end("one/a/0")
        await until(lambda: "two/a/0" in slow.executor.running)
        assert list(slow.executor.running) == ["two/a/0"]
        assert {s.id: str(s.phase) for s in await engine.executions()}["two"] == "RUNNING"
        slow.executor.end("two/a/0")
        await until(lambda: "three/a/0" in slow.executor.running)
        slow.executor.end("three/a/0")
        assert await engine.wait("three") == "SUCCEEDED"
        phases = [(e.kind, e.phase) async for e in engine.events("three") if e.kind == "execution"]
        assert phases == [("execution", "QUEUED"), ("execution", "RUNNING"), ("execution", "SUCCEEDED")]


async def test_a_restart_keeps_limit_and_order(slow):
    async with slow.engine() as engine:
        for name, priority in (("one", 0), ("low", 0), ("high", 5), ("also-low", 0)):
            await launch(slow, engine, name, priority=priority)
        await until(lambda: "one/a/0" in slow.executor.running)
    async with slow.engine() as engine:
        for name, following in (("one", "high"), ("high", "low"), ("low", "also-low")):
            assert list(slow.executor.running) == [f"{name}/a/0"]
            slow.executor.end(f"{name}/a/0")
            await until(lambda following=following: f"{following}/a/0" in slow.executor.running)


async def test_a_holder_that_ends_while_no_kernel_runs_makes_room(slow):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await launch(slow, engine, "two")
        await until(lambda: slow.executor.running)
    slow.executor.end("one/a/0")
    async with slow.engine() as engine:
        await until(lambda: "one/a/0" in slow.executor.recovered)
        await until(lambda: "two/a/0" in slow.executor.running)
        assert await engine.wait("one") == "SUCCEEDED"


async def test_one_that_waits_can_be_aborted(slow):
    async with slow.engine() as engine:
        for name in ("one", "two", "three"):
            await launch(slow, engine, name)
        await engine.abort("two", "not wanted")
        view = await engine.describe("two")
        assert (view.phase, view.reason, view.error) == ("ABORTED", "not wanted", None)
        await engine.abort("one", "nor this")
        await until(lambda: "three/a/0" in slow.executor.running)
    assert "two/a/0" not in slow.executor.submitted


async def test_one_that_is_skipped_ends_at_once_and_says_why(slow):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await launch(slow, engine, "two", "skip")
        assert await engine.wait("two") == "ABORTED"
        view = await engine.describe("two")
        assert view.reason == "skipped: 1 of 1 of limit 'nightly' is held by one"
        assert (view.error.code, view.error.message) == ("Skipped", view.reason)
        assert not (await launch(slow, engine, "two", "skip")).created
    async with slow.engine() as engine:
        assert (await engine.describe("two")).error.code == "Skipped"
    assert "two/a/0" not in slow.executor.submitted


async def test_a_launch_that_may_fail_raises_and_leaves_nothing(slow):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        with pytest.raises(LimitReached, match="'two' was not launched: 1 of 1 of limit 'nightly' is held by one"):
            await launch(slow, engine, "two", "fail")
        assert [s.id for s in await engine.executions()] == ["one"]
        assert not (await launch(slow, engine, "one", "fail")).created  # the same again is no other
        slow.executor.end("one/a/0")
        await engine.wait("one")
        assert (await launch(slow, engine, "two", "fail")).created


async def test_one_that_replaces_begins_when_the_other_has_ended(slow):
    slow.executor = Stubborn(lambda _: None)
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await until(lambda: "one/a/0" in slow.executor.running)
        await launch(slow, engine, "waits")
        await launch(slow, engine, "two", "replace")
        assert await phase(engine, "two") == "QUEUED"
        await until(lambda: engine._lives["one"].machine.state.phase == "ABORTING")
        assert (await engine.describe("one")).reason == "replaced by two"
        held = "1 of 1 of limit 'nightly' is held by one (ending: replaced by two)"
        assert await engine.explain_waiting("two") == f"two has not begun: waiting for its turn: {held}"
        await launch(slow, engine, "three", "replace")
        assert await engine.wait("two") == "ABORTED"  # it had not begun yet
        assert (await engine.describe("two")).reason == "replaced by three"
    async with slow.engine() as engine:
        assert await phase(engine, "three") == "QUEUED"
        slow.executor.end("one/a/0", Aborted("seen gone"))
        assert await engine.wait("one") == "ABORTED"
        await until(lambda: "three/a/0" in slow.executor.running)
        assert await phase(engine, "waits") == "QUEUED"


async def test_a_crash_before_the_other_was_stopped_stops_it_at_the_next_start(slow, monkeypatch):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await until(lambda: "one/a/0" in slow.executor.running)
        monkeypatch.setattr(engine._admission, "stop", lambda *_: None)
        await launch(slow, engine, "two", "replace")
    async with slow.engine() as engine:
        assert await engine.wait("one") == "ABORTED"
        await until(lambda: "two/a/0" in slow.executor.running)


async def test_a_crash_before_the_next_one_began_lets_it_begin_at_the_next_start(slow, monkeypatch):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await launch(slow, engine, "two")
        await until(lambda: "one/a/0" in slow.executor.running)
        monkeypatch.setattr(engine._admission, "admit", lambda *_: None)
        slow.executor.end("one/a/0")
        await engine.wait("one")
        assert await phase(engine, "two") == "QUEUED"
    async with slow.engine() as engine:
        await until(lambda: "two/a/0" in slow.executor.running)


async def test_one_that_cannot_go_on_is_told_of(slow, monkeypatch, caplog):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")

    def unread(self, live):
        raise RuntimeError("its executor is missing")

    monkeypatch.setattr(Routes, "check_inline", unread)
    async with slow.engine() as engine:
        assert [*engine.quarantined] == ["one"]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "Execution one cannot go on, and is tried again when the home is opened the next time: its executor is missing"
    ]


async def test_one_that_cannot_go_on_keeps_its_slot_since_nobody_knows_that_it_has_ended(slow, monkeypatch):
    async with slow.engine() as engine:
        await launch(slow, engine, "one")
        await launch(slow, engine, "two")
        engine._quarantine(engine._lives["one"], RuntimeError("broken"))
        assert "held by one (which cannot go on)" in await engine.explain_waiting("two")
        engine._quarantine(engine._lives["two"], RuntimeError("broken"))
        assert "two" not in engine._admission._limits._group_of

    def unread(self, live):
        raise RuntimeError("a plugin is missing")

    with monkeypatch.context() as patch:
        patch.setattr(Routes, "check_inline", unread)
        async with slow.engine() as engine:
            assert sorted(engine.quarantined) == ["one", "two"]
            await launch(slow, engine, "three")
            assert "held by one (which cannot go on)" in await engine.explain_waiting("three")
    async with slow.engine() as engine:
        await until(lambda: "one/a/0" in slow.executor.running)
        for name, following in (("one", "two"), ("two", "three")):
            slow.executor.end(f"{name}/a/0")
            await until(lambda following=following: f"{following}/a/0" in slow.executor.running)


async def test_a_workflow_can_say_it_itself(slow):
    spec = ConcurrencySpec("own", on_limit="fail")
    flow = make_closure({"a": Job()}, concurrency=spec)
    async with slow.engine() as engine:
        await engine.launch(slow.request(flow, "one"))
        assert (await engine.describe("one")).labels == {"wingbeat/limit": "own"}
        with pytest.raises(LimitReached):
            await engine.launch(slow.request(flow, "two"))
        other = ConcurrencySpec("other")
        await engine.launch(slow.request(flow, "three", concurrency=other))  # a launch plan's own is in its place
        assert await phase(engine, "three") == "RUNNING"


async def test_what_is_recovered_waits_too_and_keeps_what_it_takes_over(slow):
    async with slow.engine() as engine:
        flow = make_closure({"a": Job(), "b": Job(["a"])}, concurrency=ConcurrencySpec("nightly"))
        await engine.launch(slow.request(flow, "old"))
        await until(lambda: "old/a/0" in slow.executor.running)
        slow.executor.end("old/a/0")
        await until(lambda: "old/b/0" in slow.executor.running)
        await engine.abort("old", "later")
        await engine.launch(slow.request(flow, "between"))
        reply = await engine.launch(slow.request(flow, "new", recover="old"))
        assert reply.recovered == 1
        assert await phase(engine, "new") == "QUEUED"
    async with slow.engine() as engine:
        await engine.abort("between", "enough")
        await until(lambda: "new/b/0" in slow.executor.running)
        assert "new/a/0" not in slow.executor.submitted


async def test_a_limit_is_one_of_its_place_alone(slow):
    """Two teams have a workflow of the same name: neither waits for the other, or takes its place."""
    maps, eta = {"project": "maps", "domain": "production"}, {"project": "eta", "domain": "production"}
    async with slow.engine() as engine:
        await launch(slow, engine, "one", labels=maps)
        await launch(slow, engine, "other", on_limit="replace", labels=eta)
        await launch(slow, engine, "tried", on_limit="replace", labels={**maps, "domain": "development"})
        await launch(slow, engine, "nowhere", on_limit="replace")
        await launch(slow, engine, "two", labels=maps)
        assert [await phase(engine, n) for n in ("one", "other", "tried", "nowhere")] == ["RUNNING"] * 4
        assert (await engine.describe("two")).reason.endswith(
            "1 of 1 of limit 'maps/production/nightly' is held by one"
        )
    async with slow.engine() as engine:
        assert [await phase(engine, n) for n in ("one", "two")] == ["RUNNING", "QUEUED"]
        assert (await engine.describe("two")).reason.endswith(
            "1 of 1 of limit 'maps/production/nightly' is held by one"
        )
        slow.executor.end("one/a/0")
        await until(lambda: "two/a/0" in slow.executor.running)


def test_no_name_of_one_place_is_one_of_another():
    names, places = ("n", "maps/production/n", "default/development/n"), ("default/development", "maps/production")
    assert within("default/development", "n") == "n"
    assert len({within(place, name) for place in places for name in names}) == 6


async def test_what_an_older_version_wrote_down_counts_in_its_place(slow, monkeypatch):
    """To which a name of a limit was the same in all places."""
    maps = {"project": "maps", "domain": "production"}
    monkeypatch.setattr(admission, "within", lambda _, name: name)
    async with slow.engine() as engine:
        await launch(slow, engine, "one", labels=maps)
        await launch(slow, engine, "two", labels=maps)
    monkeypatch.undo()
    async with slow.engine() as engine:
        await launch(slow, engine, "elsewhere")
        await launch(slow, engine, "three", labels=maps)
        assert [await phase(engine, n) for n in ("one", "two", "elsewhere", "three")] == [
            "RUNNING", "QUEUED", "RUNNING", "QUEUED",
        ]  # fmt: skip
        for name, following in (("one", "two"), ("two", "three")):
            await until(lambda name=name: f"{name}/a/0" in slow.executor.running)
            slow.executor.end(f"{name}/a/0")
            await until(lambda following=following: f"{following}/a/0" in slow.executor.running)
