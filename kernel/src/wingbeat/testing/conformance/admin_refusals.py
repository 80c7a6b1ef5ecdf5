"""What every admin must do that says what its triggers have not started: see `wingbeat.testing.conformance.admin` for how a test
class is derived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from wingbeat.author.artifact import Newest
from wingbeat.author.schedule import FixedRate
from wingbeat.author.trigger import OnSuccess
from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin, ExecutionQuery, Launch
from wingbeat.contracts.refusals import Refusal, RefusalQuery, Refusing
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

PLAN = "eta/production/plan@v1"
MISSING = {"n": Newest("maps/production/missing")}


def refusing(admin: Admin) -> Refusing:
    """The admin, which keeps what it has refused."""
    assert isinstance(admin, Refusing), f"{type(admin).__name__} keeps nothing that was refused"
    return admin


class RefusalContract(AdminStage):
    """The contract of `wingbeat.contracts.refusals.Refusing` as tests."""

    @contextlib.asynccontextmanager
    async def refused(self, home: TemporaryHome, flow: Any = flows.twice, **plan: Any) -> AsyncIterator[Admin]:
        """An admin with a launch plan that is active."""
        async with self.both(home) as (admin, _):
            await self.put(admin, launchplan(flow, "plan", **plan))
            await admin.activate(PLAN)
            yield admin

    async def listed(self, admin: Admin, count: int, **query: Any) -> list[Refusal]:
        """So many, once there are."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while len(found := (await refusing(admin).refusals(RefusalQuery(**query))).items) < count:
                await asyncio.sleep(0.02)
        return found

    async def test_a_tick_that_could_not_be_launched_is_listed_with_why(self, home: TemporaryHome) -> None:
        """`refusals`: with its launch plan, its tick, when it was due and why it has not started; also behind a restart."""
        async with self.refused(home, inputs=MISSING, trigger=FixedRate("1s")) as admin:
            (found, *_) = reversed(await self.listed(admin, 1))
            await admin.deactivate(PLAN)
            assert found.entity == PLAN
            assert found.cause.startswith("tick ")
            assert "maps/production/missing" in found.reason
            assert found.id
            assert (await admin.executions(ExecutionQuery("eta"))).items == []
        async with self.both(home) as (admin, _):
            assert found in await self.listed(admin, 1)

    async def test_what_another_execution_was_to_start_is_listed(self, home: TemporaryHome) -> None:
        """A trigger on the end of an execution: it is the cause."""
        trigger = OnSuccess("maps/production/flows.twice")
        async with self.refused(home, inputs=MISSING, trigger=trigger) as admin:
            await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps")
            await admin.launch(Launch("maps/production/flows.twice", {"n": 1}, "source"))
            (found,) = await self.listed(admin, 1)
            assert (found.cause, found.entity) == ("source", PLAN)

    async def test_a_tick_that_was_left_out_is_listed(self, home: TemporaryHome, tmp_path: Path) -> None:
        """One that came while another execution of its schedule was under way, where the overlap policy leaves it out."""
        when, gate = FixedRate("1s", overlap="skip"), tmp_path / "gate"
        async with self.refused(home, flows.endless, inputs={"path": str(gate)}, trigger=when) as admin:
            (found, *_) = await self.listed(admin, 1)
            await admin.deactivate(PLAN)
            gate.touch()
            assert "under way" in found.reason
            assert found.cause.startswith("tick ")
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == 1

    async def test_they_are_listed_by_what_is_given_and_by_pages(self, home: TemporaryHome) -> None:
        """`RefusalQuery`: each condition, and all of them; the newest first, `after` continues."""
        async with self.refused(home, inputs=MISSING, trigger=FixedRate("1s")) as admin:
            await self.listed(admin, 3)
            await admin.deactivate(PLAN)
            await asyncio.sleep(0.1)  # what had come by then
            every = (await refusing(admin).refusals(RefusalQuery())).items
            assert [each.at for each in every] == sorted((each.at for each in every), reverse=True)
            page = await refusing(admin).refusals(RefusalQuery(limit=2))
            assert (page.items, page.following) == (every[:2], every[1].id)
            rest = await refusing(admin).refusals(RefusalQuery(after=page.following))
            assert (rest.items, rest.following) == (every[2:], "")
            given: dict[str, Any] = {"project": "eta", "domain": "production", "name": "plan"}
            for query in (given, *({key: value} for key, value in given.items())):
                assert (await refusing(admin).refusals(RefusalQuery(**query))).items == every
            for key in given:
                assert (await refusing(admin).refusals(RefusalQuery(**{**given, key: "other"}))).items == []
            with pytest.raises(NotFound):
                await refusing(admin).refusals(RefusalQuery(after="never"))
