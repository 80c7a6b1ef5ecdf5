"""What every engine must do whose quotas can be changed: see `wingbeat.testing.conformance.engine` for how a class is derived."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from wingbeat.contracts.engine import Adjusting, Engine, Quota
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.home import TemporaryHome

PLACE = "eta/production"


class QuotasContract(EngineContract):
    """The contract of `wingbeat.contracts.engine.Adjusting` as tests, besides that of every engine."""

    async def wait_behind(self, engine: Engine, *names: str) -> Adjusting:
        """Launch these under a quota of one."""
        for name in names:
            await engine.launch(replace(self.request(flows.gated, name, n=1), quota=Quota(PLACE, 1)))
        assert isinstance(engine, Adjusting)
        return engine

    async def begun(self, engine: Engine, *names: str) -> None:
        """Return when these have begun."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            for name in names:
                while (await engine.describe(name, nodes=False)).phase is not ExecutionPhase.RUNNING:
                    await asyncio.sleep(0.02)

    async def test_a_changed_quota_holds_for_those_that_wait(self, home: TemporaryHome) -> None:
        """`change_quotas`: who has room begins, in their order; what they wait for is told by the quota of now."""
        async with self.opened(home) as engine:
            able = await self.wait_behind(engine, "one", "two", "three", "four")
            assert await able.quotas_waited_for() == {PLACE: 1}
            for _ in range(2):
                await able.change_quotas({PLACE: 2, "maps/production": 7})
            await self.begun(engine, "two")
            assert (await engine.describe("three", nodes=False)).phase is ExecutionPhase.QUEUED
            assert "2 of 2" in await engine.explain_waiting("three")
            assert await able.quotas_waited_for() == {PLACE: 2}
            await able.change_quotas({PLACE: 1})
            assert "2 of 1" in await engine.explain_waiting("three"), "what is under way goes on"
            await engine.signal("one", "go", Inline(True), "s")
            await engine.wait("one")
            assert "1 of 1" in await engine.explain_waiting("three")
            await able.change_quotas({PLACE: None})
            await self.begun(engine, "three", "four")
            assert await able.quotas_waited_for() == {}

    async def test_after_a_restart_it_is_said_again(self, home: TemporaryHome) -> None:
        """`quotas_waited_for`: what waits is told of after a restart, too; and begins when its quota is changed then."""
        async with self.opened(home) as engine:
            await self.wait_behind(engine, "one", "two")
        async with self.opened(home) as engine:
            assert isinstance(engine, Adjusting)
            assert await engine.quotas_waited_for() == {PLACE: 1}
            await engine.change_quotas({PLACE: 5})
            await self.begun(engine, "one", "two")
