"""What every admin must do that runs backfills: each tick of a range once, so many at a time, over restarts; see
`wingbeat.testing.conformance.admin` for how a test class is derived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from wingbeat.author.notify import Notify
from wingbeat.author.schedule import Cron, FixedRate
from wingbeat.base.errors import ConflictError, InputError, NotFound
from wingbeat.contracts.admin import (
    CAUSE_LABEL,
    Admin,
    ExecutionQuery,
    NotificationEntry,
    NotificationQuery,
    Notifying,
)
from wingbeat.contracts.backfill import (
    BACKFILL_LABEL,
    TICKS_MAX,
    Backfill,
    BackfillEntry,
    Backfilling,
    BackfillPhase,
    BackfillQuery,
    FailedTick,
)
from wingbeat.contracts.engine import Engine
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

PLAN = "eta/production/plan"
DAY_S = 86400.0
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
WEEK = Backfill(PLAN, MONDAY, MONDAY + 7 * DAY_S, name="week")
DAILY = Cron("0 3 * * *")


class BackfillContract(AdminStage):
    """The contract of `wingbeat.contracts.backfill.Backfilling` as tests."""

    @contextlib.asynccontextmanager
    async def filling(self, home: TemporaryHome) -> AsyncIterator[tuple[Admin, Backfilling, Engine]]:
        """An admin that runs backfills."""
        async with self.both(home) as (admin, engine):
            assert isinstance(admin, Backfilling), f"{type(admin).__name__} runs no backfills"
            yield admin, admin, engine

    async def planned(self, admin: Admin, flow: Any = flows.twice, trigger: Any = DAILY, **more: Any) -> None:
        """A launch plan with a schedule, which is not active."""
        given = {"inputs": {"n": 1}} if flow is flows.twice else {}
        await self.put(admin, launchplan(flow, "plan", trigger=trigger, **{**given, **more}))

    async def seen(
        self,
        admin: Backfilling,
        id: str,
        true: Callable[[BackfillEntry], bool] = lambda entry: entry.ended_at is not None,
    ) -> BackfillEntry:
        """A backfill, once `true` holds for it; by default, once it has ended."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while not true(entry := await admin.backfill(id)):
                await asyncio.sleep(0.02)
        return entry

    async def test_each_tick_of_the_range_is_run_once(self, home: TemporaryHome) -> None:
        """`create_backfill`: those from `since` on, before `until`, with what the schedule gives them; also of one not active."""
        async with self.filling(home) as (admin, backfilling, engine):
            await self.planned(admin, flows.dated, FixedRate("1d", input="at"))
            since, until = MONDAY, MONDAY + 2 * DAY_S
            begun = await backfilling.create_backfill(replace(WEEK, since=since, until=until))
            assert (begun.id, begun.entity, begun.total) == ("week", f"{PLAN}@v1", 2)
            entry = await self.seen(backfilling, "week")
            assert (entry.phase, entry.succeeded, entry.failed, entry.there) == (BackfillPhase.ENDED, 2, 0, 0)
            assert (entry.since, entry.until, entry.failures) == (since, until, [])
            found = await self.history(admin, lambda found: len(found) == 2, labels={BACKFILL_LABEL: "week"})
            assert sorted(each.cause for each in found) == [
                "tick 2026-03-02T00:00:00+00:00",
                "tick 2026-03-03T00:00:00+00:00",
            ]
            for each in found:
                view = await engine.describe(each.id)
                assert view.labels[CAUSE_LABEL] == each.cause
                assert view.inputs["at"] == Inline(each.cause.removeprefix("tick "))

    async def test_what_has_run_is_not_run_again(self, home: TemporaryHome) -> None:
        """Ticks that another backfill, or the schedule, has run are there; unless all is to be run `again`."""
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin)
            assert (await backfilling.backfill_plan(WEEK)).there == 0
            await asyncio.gather(
                backfilling.create_backfill(replace(WEEK, until=MONDAY + 5 * DAY_S)),
                backfilling.create_backfill(replace(WEEK, name="other", since=MONDAY + 3 * DAY_S)),
            )
            one, other = await self.seen(backfilling, "week"), await self.seen(backfilling, "other")
            assert (one.succeeded + other.succeeded, one.there + other.there) == (7, 2)
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == 7
            assert (await backfilling.backfill_plan(WEEK)).there == 7
            await backfilling.create_backfill(replace(WEEK, name="again", again=True))
            again = await self.seen(backfilling, "again")
            assert (again.succeeded, again.there) == (7, 0)
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == 14

    async def test_what_ran_live_is_there(self, home: TemporaryHome) -> None:
        """The execution of a tick is the same, whoever launches it: also of another version, also over a restart."""
        async with self.filling(home) as (admin, _, _engine):
            await self.planned(admin, trigger=FixedRate("1s", catch_up="all", overlap="allow_all"))
            await admin.activate(f"{PLAN}@v1")
            await self.history(admin, lambda found: len(found) >= 2, project="eta")
            await admin.deactivate(PLAN)
            later = launchplan(flows.twice, "plan", trigger=FixedRate("1s"), inputs={"n": 5})
            await self.put(admin, later, version="v2")
        async with self.filling(home) as (admin, backfilling, _engine):
            before = (await admin.executions(ExecutionQuery("eta"))).items
            ticks = sorted(datetime.fromisoformat(each.cause.removeprefix("tick ")).timestamp() for each in before)
            wanted = Backfill(PLAN, ticks[0] - 2, ticks[-1] + 0.001, name="seconds")
            assert (await backfilling.backfill_plan(wanted)).entity == f"{PLAN}@v2"
            await backfilling.create_backfill(wanted)
            entry = await self.seen(backfilling, "seconds")
            assert (entry.succeeded, entry.there) == (2, len(before))

    async def test_the_same_is_created_once(self, home: TemporaryHome) -> None:
        """`create_backfill` again: the same content is there, another one is refused; a new version of the plan changes nothing."""
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin)
            first = await backfilling.create_backfill(WEEK)
            await self.put(admin, launchplan(flows.twice, "plan", trigger=DAILY, inputs={"n": 2}), version="v2")
            again = await backfilling.create_backfill(WEEK)
            assert (again.id, again.entity, again.created_at) == (first.id, f"{PLAN}@v1", first.created_at)
            with pytest.raises(ConflictError, match="week"):
                await backfilling.create_backfill(replace(WEEK, concurrency=1))
            unnamed = [await backfilling.create_backfill(replace(WEEK, name="")) for _ in range(2)]
            assert len({each.id for each in unnamed}) == 2
            assert (await self.seen(backfilling, "week")).total == 7

    async def test_so_many_are_under_way_at_once(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`concurrency`; `pause_backfill` lets no more begin, `resume_backfill` does, also behind a restart."""
        gate, wanted = tmp_path / "gate", replace(WEEK, concurrency=2, reverse=True)
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin, flows.endless, inputs={"path": str(gate)})
            await backfilling.create_backfill(wanted)
            found = await self.history(admin, lambda found: len(found) == 2, project="eta")
            assert sorted(each.cause[:15] for each in found) == ["tick 2026-03-07", "tick 2026-03-08"], (
                "the newest come first"
            )
            await backfilling.pause_backfill("week", "for a while")
            paused = await backfilling.pause_backfill("week", "")
            assert (paused.phase, paused.reason, paused.running) == (BackfillPhase.PAUSED, "for a while", 2)
            gate.touch()
            entry = await self.seen(backfilling, "week", lambda entry: entry.succeeded == 2)
            assert (entry.waiting, entry.running, entry.phase) == (5, 0, BackfillPhase.PAUSED)
        async with self.filling(home) as (admin, backfilling, _):
            await asyncio.sleep(0.2)
            assert (await backfilling.backfill("week")).waiting == 5
            assert (await backfilling.resume_backfill("week")).phase is BackfillPhase.RUNNING
            assert (await self.seen(backfilling, "week")).succeeded == 7
            assert (await backfilling.resume_backfill("week")).phase is BackfillPhase.ENDED
            with pytest.raises(ConflictError):
                await backfilling.pause_backfill("week", "too late")

    async def test_a_restart_loses_and_doubles_nothing(self, home: TemporaryHome) -> None:
        """Ticks that were taken are launched, and those that wait are taken, by who opens it next."""
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin, trigger=FixedRate("10m"))
            await backfilling.create_backfill(replace(WEEK, until=MONDAY + DAY_S / 12, concurrency=3))
        for _ in range(3):
            async with self.filling(home):
                await asyncio.sleep(0.1)
        async with self.filling(home) as (admin, backfilling, _):
            assert (await self.seen(backfilling, "week")).succeeded == 12
            found = (await admin.executions(ExecutionQuery("eta", limit=1000))).items
            assert len({each.cause for each in found}) == len(found) == 12

    async def test_aborting_stops_what_runs(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`abort_backfill`: executions end ABORTED, ticks that wait stay so, and it does not go on; again changes nothing."""
        async with self.filling(home) as (admin, backfilling, engine):
            await self.planned(admin, flows.endless, inputs={"path": str(tmp_path / "gate")})
            await backfilling.create_backfill(replace(WEEK, concurrency=3))
            found = await self.history(admin, lambda found: len(found) == 3, project="eta")
            assert (await backfilling.abort_backfill("week", "as asked")).phase is BackfillPhase.ABORTED
            entry = await self.seen(backfilling, "week")
            assert (entry.phase, entry.reason, entry.waiting, entry.running) == (
                BackfillPhase.ABORTED,
                "as asked",
                4,
                0,
            )
            assert {failure.reason for failure in entry.failures} == {"ABORTED"}
            for each in found:
                view = await engine.describe(each.id, nodes=False)
                assert (view.phase, view.reason) == (ExecutionPhase.ABORTED, "as asked")
            assert (await backfilling.abort_backfill("week", "again")).reason == "as asked"
            for failed in (False, True):
                with pytest.raises(ConflictError):
                    await backfilling.resume_backfill("week", failed=failed)
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == 3

    async def test_who_fails_does_not_stop_others(self, home: TemporaryHome, tmp_path: Path) -> None:
        """Which ticks have failed is told; `resume_backfill` with `failed` runs them again. The schedule does not pause."""
        least = tmp_path / "least"
        async with self.filling(home) as (admin, backfilling, _):
            trigger = Cron("0 3 * * *", pause_on_failure=True)
            await self.planned(admin, flows.fails, trigger, inputs={"n": 1, "least": str(least)})
            await admin.activate(f"{PLAN}@v1")
            await backfilling.create_backfill(replace(WEEK, until=MONDAY + 3 * DAY_S))
            entry = await self.seen(backfilling, "week")
            assert (entry.phase, entry.succeeded, entry.failed) == (BackfillPhase.ENDED, 0, 3)
            found = await self.history(admin, lambda found: len(found) == 3, phase=ExecutionPhase.FAILED)
            ids = {datetime.fromisoformat(each.cause.removeprefix("tick ")).timestamp(): each.id for each in found}
            assert entry.failures == [FailedTick(tick, ids[tick], "FAILED") for tick in sorted(ids)]
            assert not (await admin.entity(PLAN)).paused
            least.write_text("0")
            assert (await backfilling.resume_backfill("week")).failed == 3
            assert (await backfilling.resume_backfill("week", failed=True)).phase is BackfillPhase.RUNNING
            entry = await self.seen(backfilling, "week")
            assert (entry.succeeded, entry.failed, entry.failures) == (3, 0, [])
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == 6

    async def test_who_is_told_is_told_once_when_it_is_over(self, home: TemporaryHome, tmp_path: Path) -> None:
        """One message with counts, and again when what had failed was run again; with `notify_each`, one for each execution."""
        least = tmp_path / "least"
        async with self.filling(home) as (admin, backfilling, _):
            if not isinstance(admin, Notifying):
                pytest.skip("this admin tells nobody")
            on = [Notify("ops", on=["FAILED"]), Notify("team", on=["SUCCEEDED", "FAILED"])]
            await self.planned(admin, flows.fails, inputs={"n": 1, "least": str(least)}, notifications=on)
            wanted = replace(WEEK, until=MONDAY + 3 * DAY_S)
            await backfilling.create_backfill(wanted)
            told = await self.told(admin, 2)
            assert {each.channel for each in told} == {"ops", "team"}
            assert {(each.backfill, each.execution, each.phase) for each in told} == {
                ("week", "", ExecutionPhase.FAILED)
            }
            assert told[0].title == f"the backfill week of {PLAN}@v1 has ended with failures: 3 failed, of 3 ticks"
            least.write_text("0")
            await backfilling.resume_backfill("week", failed=True)
            (again,) = (await self.told(admin, 3))[:1]
            assert (again.channel, again.phase) == ("team", ExecutionPhase.SUCCEEDED)
            assert again.title.endswith("has succeeded: 3 succeeded, of 3 ticks")
            each = await backfilling.create_backfill(replace(wanted, name="each", again=True, notify_each=True))
            assert each.notify_each
            await self.seen(backfilling, "each")
            told = (await self.told(admin, 7))[:4]
            assert sorted(entry.backfill for entry in told) == ["", "", "", "each"]
            assert all(bool(entry.execution) is not bool(entry.backfill) for entry in told)

    async def told(self, admin: Notifying, count: int) -> list[NotificationEntry]:
        """What was told, once there is so much of it; the newest first."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while len(found := (await admin.notifications(NotificationQuery())).items) < count:
                await asyncio.sleep(0.02)
        assert len(found) == count
        return found

    async def test_what_cannot_be_is_refused(self, home: TemporaryHome) -> None:
        """`create_backfill`, and `backfill_plan` but for the name: nothing is created."""
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"entity": "eta/production/flows.twice"}, "launch plan"),
            ({"entity": "eta/production/none"}, "schedule"),
            ({"until": MONDAY}, "range"),
            ({"since": -1.0}, "range"),
            ({"until": 32e9}, "not come"),
            ({"until": MONDAY + 3600}, "no tick"),
            ({"concurrency": 0}, "at once"),
            ({"inputs": {"m": 1}}, "'m'"),
            ({"inputs": {"n": "one"}}, "'n'"),
            ({"name": "No Name"}, "No Name"),
        ]
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin)
            none = launchplan(flows.twice, "none", inputs={"n": 1})
            await self.put(admin, workflow(flows.twice, "flows.twice"), none)
            for changed, why in wrong:
                with pytest.raises(InputError, match=why):
                    await backfilling.create_backfill(replace(WEEK, **changed))
                if "name" not in changed:
                    with pytest.raises(InputError, match=why):
                        await backfilling.backfill_plan(replace(WEEK, **changed))
            assert (await backfilling.backfills(BackfillQuery())).items == []

    async def test_inputs_are_checked_and_given(self, home: TemporaryHome) -> None:
        """`inputs`: for every tick; but not the one that takes the tick. `TICKS_MAX` is the most."""
        async with self.filling(home) as (admin, backfilling, engine):
            await self.planned(admin, flows.dated, FixedRate("1m", input="at"))
            with pytest.raises(InputError, match="takes the tick"):
                await backfilling.create_backfill(replace(WEEK, inputs={"at": "2026-01-01T00:00:00+00:00"}))
            with pytest.raises(InputError, match=f"more than {TICKS_MAX:,}"):
                await backfilling.create_backfill(replace(WEEK, since=0.0))
            await self.put(admin, launchplan(flows.twice, "other", trigger=DAILY, inputs={"n": 1}))
            wanted = replace(WEEK, entity="eta/production/other", until=MONDAY + DAY_S, inputs={"n": 7})
            await backfilling.create_backfill(wanted)
            await self.seen(backfilling, "week")
            (entry,) = (await admin.executions(ExecutionQuery("eta"))).items
            assert (await engine.describe(entry.id)).inputs == {"n": Inline(7)}

    async def test_what_it_would_do_is_told(self, home: TemporaryHome) -> None:
        """`backfill_plan`: how many ticks, and which come first."""
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin)
            plan = await backfilling.backfill_plan(WEEK)
            assert (plan.entity, plan.total, plan.there) == (f"{PLAN}@v1", 7, 0)
            assert plan.first[0] == MONDAY + 3 * 3600
            newest = (await backfilling.backfill_plan(replace(WEEK, reverse=True))).first
            assert newest[0] == MONDAY + 6 * DAY_S + 3 * 3600
            assert (await admin.executions(ExecutionQuery())).items == []

    async def test_backfills_are_listed_in_pages(self, home: TemporaryHome) -> None:
        """`backfills`: the newest first, each once; by place, launch plan and phase."""
        async with self.filling(home) as (admin, backfilling, _):
            await self.planned(admin)
            for number in range(5):
                await backfilling.create_backfill(replace(WEEK, name=f"b{number}", until=MONDAY + DAY_S))
            for number in range(5):
                await self.seen(backfilling, f"b{number}")
            query, seen = BackfillQuery(limit=2), list[str]()
            while True:
                page = await backfilling.backfills(query)
                seen += [each.id for each in page.items]
                if not page.following:
                    break
                query = BackfillQuery(limit=2, after=page.following)
            assert seen == ["b4", "b3", "b2", "b1", "b0"]
            for given, count in (
                ({"project": "eta"}, 5), ({"domain": "development"}, 0), ({"name": "plan"}, 5), ({"name": "p"}, 0),
                ({"phase": BackfillPhase.ENDED}, 5), ({"phase": BackfillPhase.PAUSED}, 0),
            ):  # fmt: skip
                assert len((await backfilling.backfills(BackfillQuery(**given))).items) == count
            with pytest.raises(NotFound):
                await backfilling.backfills(BackfillQuery(after="none"))
            for call in (
                backfilling.backfill("none"), backfilling.pause_backfill("none", ""), backfilling.resume_backfill("x y"),
                backfilling.abort_backfill("none", ""),
            ):  # fmt: skip
                with pytest.raises(NotFound):
                    await call
            with pytest.raises(NotFound):
                await backfilling.create_backfill(replace(WEEK, entity="eta/production/nothing"))
