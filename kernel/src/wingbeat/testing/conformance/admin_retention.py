"""What every admin must do that has a history which it lets go of: see `wingbeat.testing.conformance.admin` for how a test class is
derived."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wingbeat.contracts.admin import Admin, ExecutionQuery, Launch
from wingbeat.contracts.artifacts import ArtifactQuery, Artifacts
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.retention import RETENTION_LABEL, Retaining
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

TWICE = "eta/production/flows.twice"


def retaining(admin: Admin) -> Retaining:
    """The admin, which lets go."""
    assert isinstance(admin, Retaining), f"{type(admin).__name__} keeps everything"
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
