"""What every admin must do that has a history which it lets go of: see `wingbeat.testing.conformance.admin` for how a test class is
derived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from wingbeat.author.artifact import Newest
from wingbeat.author.schedule import Cron
from wingbeat.author.trigger import OnSuccess
from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin, ExecutionQuery, Launch
from wingbeat.contracts.artifacts import ArtifactQuery, Artifacts
from wingbeat.contracts.backfill import Backfill, Backfilling, BackfillQuery
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.refusals import RefusalQuery, Refusing
from wingbeat.contracts.retention import RETENTION_LABEL, Expired, Expiring, Retaining
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

TWICE = "eta/production/flows.twice"


def retaining(admin: Admin) -> Retaining:
    """The admin, which lets go."""
    assert isinstance(admin, Retaining), f"{type(admin).__name__} keeps everything"
    return admin


def expiring(admin: Admin) -> Expiring:
    """The admin, which lets go of what was decided."""
    assert isinstance(admin, Expiring), f"{type(admin).__name__} keeps everything"
    return admin


class RetentionContract(AdminStage):
    """The contract of `wingbeat.contracts.retention.Retaining` as tests."""

    async def ended(self, admin: Admin, engine: Engine, entity: str, *names: str) -> None:
        """Executions of these names, in the history with their ends."""
        for name in names:
            await admin.launch(Launch(entity, {"n": 1}, name))
            await engine.wait(name)
        await self.history(admin, lambda found: {*names} <= {each.id for each in found if each.phase.terminal})

    async def free(self, admin: Admin, names: Sequence[str]) -> dict[str, str]:
        """Which of these must stay, when what follows from their ends has been decided."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while len(found := await retaining(admin).retained(names)) == len(names):
                await asyncio.sleep(0.02)
        return found

    async def test_what_is_forgotten_is_gone_from_the_history(self, home: TemporaryHome) -> None:
        """`forget`: it is not listed, also after a restart; the others are. Again: nothing happens."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            await self.ended(admin, engine, TWICE, "first", "second")
            assert await self.free(admin, ["first"]) == {}
            for _ in range(2):
                await retaining(admin).forget(["first", "never"])
            assert [each.id for each in (await admin.executions(ExecutionQuery())).items] == ["second"]
        async with self.both(home) as (admin, engine):
            await self.ended(admin, engine, TWICE, "third")
            assert [each.id for each in (await admin.executions(ExecutionQuery())).items] == ["third", "second"]
            assert await self.free(admin, ["first"]) == {}, "it is known no more"

    async def test_what_is_launched_says_for_how_long_it_is_kept(self, home: TemporaryHome) -> None:
        """`launch`: the days of the launch plan are a label, by which whoever collects goes."""
        async with self.both(home) as (admin, engine):
            await self.put(
                admin, launchplan(flows.twice, "plan", retention_days=7), workflow(flows.twice, "flows.twice")
            )
            await self.ended(admin, engine, "eta/production/plan", "kept")
            await self.ended(admin, engine, TWICE, "else")
            labels = [(await engine.describe(id, nodes=False)).labels.get(RETENTION_LABEL) for id in ("kept", "else")]
            assert labels == ["7", None]

    async def test_the_newest_of_an_artifact_stays(self, home: TemporaryHome) -> None:
        """`retained`, of an admin that keeps artifacts: the execution of the newest with these keys stays, with why; `forget` has
        the artifacts go with the others."""
        async with self.both(home) as (admin, engine):
            if not isinstance(admin, Artifacts):
                return
            await self.put(admin, workflow(flows.numbered, "flows.numbered"), project="maps")
            for name, city in (("old", "sf"), ("new", "sf"), ("other", "la")):
                await admin.launch(Launch("maps/production/flows.numbered", {"n": 1, "city": city}, name))
                await engine.wait(name)
                async with asyncio.timeout(self.patience_s * 2 / 3):
                    while name not in [each.execution for each in (await admin.artifacts(ArtifactQuery())).items]:
                        await asyncio.sleep(0.02)
            found = await self.free(admin, ["old", "new", "other"])
            assert found.keys() == {"new", "other"}
            assert all("newest" in why for why in found.values())
            await retaining(admin).forget(["old"])
            assert [each.execution for each in (await admin.artifacts(ArtifactQuery())).items] == ["other", "new"]


class ExpiryContract(AdminStage):
    """The contract of `wingbeat.contracts.retention.Expiring` as tests."""

    async def filled(self, admin: Admin, *names: str) -> None:
        """Backfills of three days each that are over."""
        assert isinstance(admin, Backfilling)
        await self.put(admin, launchplan(flows.twice, "plan", inputs={"n": 1}, trigger=Cron("0 3 * * *")))
        for name in names:
            await admin.create_backfill(Backfill("eta/production/plan", 0.0, 3 * 86400.0, name=name))
            async with asyncio.timeout(self.patience_s * 2 / 3):
                while (await admin.backfill(name)).ended_at is None:
                    await asyncio.sleep(0.02)

    async def expire(self, admin: Admin, before: float, limit: int) -> Expired:
        """All that goes, step by step."""
        backfills = refusals = rows = 0
        while (found := await expiring(admin).expire(before, limit)).rows:
            backfills, refusals, rows = backfills + found.backfills, refusals + found.refusals, rows + found.rows
        return Expired(backfills, refusals, rows)

    async def test_backfills_that_are_over_go_with_their_ticks(self, home: TemporaryHome) -> None:
        """`expire`: those that were over before that moment, in steps, each gone as a whole from the first one on; not others."""
        async with self.both(home) as (admin, _):
            assert isinstance(admin, Backfilling)
            await self.filled(admin, "one", "two")
            await admin.create_backfill(Backfill("eta/production/plan", 4 * 86400.0, 6 * 86400.0, name="paused"))
            await admin.pause_backfill("paused", "for the test")
            moment = (await admin.backfill("two")).ended_at
            assert moment is not None
            assert await self.expire(admin, (await admin.backfill("one")).ended_at or 0.0, 100) == Expired()
            assert (await expiring(admin).expire(time.time() + 60, 1, dry=True)).backfills >= 2
            assert {each.id for each in (await admin.backfills(BackfillQuery())).items} == {"one", "two", "paused"}
            first = await expiring(admin).expire(moment, 1)
            assert first.backfills == 1
            assert {each.id for each in (await admin.backfills(BackfillQuery())).items} == {"two", "paused"}
            with pytest.raises(NotFound):
                await admin.backfill("one")
            assert first.rows + (await self.expire(admin, moment, 1)).rows == 4, (
                "a row for itself, and one for each tick"
            )
        async with self.both(home) as (admin, _):
            assert (await self.expire(admin, moment + 0.001, 100)).backfills == 1
            assert isinstance(admin, Backfilling)
            assert [each.id for each in (await admin.backfills(BackfillQuery())).items] == ["paused"]
            assert (await admin.backfill("paused")).total == 2

    async def test_the_name_of_one_that_is_gone_may_be_taken_again(self, home: TemporaryHome) -> None:
        """`create_backfill`: it is another one, also before the ticks of the first are all gone."""
        async with self.both(home) as (admin, _):
            assert isinstance(admin, Backfilling)
            await self.filled(admin, "march")
            await expiring(admin).expire(time.time() + 60, 1)
            again = await admin.create_backfill(Backfill("eta/production/plan", 0.0, 5 * 86400.0, name="march"))
            assert (again.total, again.failures) == (5, [])
            await self.expire(admin, 1.0, 100)
            assert (await admin.backfill("march")).total == 5

    async def test_what_was_refused_goes(self, home: TemporaryHome) -> None:
        """`expire`: what was due before that moment and was refused; what is listed is what is left."""
        async with self.both(home) as (admin, engine):
            if not isinstance(admin, Refusing):
                return
            taken = {"n": Newest("maps/production/missing")}
            trigger = OnSuccess("eta/production/flows.twice")
            await self.put(
                admin,
                launchplan(flows.twice, "taken", inputs=taken, trigger=trigger),
                workflow(flows.twice, "flows.twice"),
            )
            await admin.activate("eta/production/taken@v1")
            for name in ("first", "second"):
                await admin.launch(Launch(TWICE, {"n": 1}, name))
                await engine.wait(name)
            async with asyncio.timeout(self.patience_s * 2 / 3):
                while len(found := (await admin.refusals(RefusalQuery())).items) < 2:
                    await asyncio.sleep(0.02)
            assert await self.expire(admin, found[1].at, 100) == Expired()
            assert (await expiring(admin).expire(time.time() + 60, 1, dry=True)).refusals == 2
            assert await self.expire(admin, time.time() + 60, 1) == Expired(0, 2, 2)
            assert (await admin.refusals(RefusalQuery())).items == []
