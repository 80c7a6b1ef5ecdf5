"""What every admin must do that tells of executions: whom, of what, once. No channel is set up here, so nothing is delivered: what
is decided waits, is listed, and is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from wingbeat.author.notify import Notify
from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin, Launch, NotificationEntry, NotificationQuery, NotificationState, Notifying
from wingbeat.contracts.engine import Engine
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan
from wingbeat.testing.home import TemporaryHome

ENDS = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


def telling(admin: Admin) -> Notifying:
    """The admin, which tells."""
    assert isinstance(admin, Notifying), f"{type(admin).__name__} tells nobody"
    return admin


class ToldContract(AdminStage):
    """Notifications, as tests."""

    async def launched(self, admin: Admin, flow: Any, inputs: dict[str, Any], notifications: Sequence[Notify]) -> str:
        """An execution of a launch plan that says who is told."""
        await self.put(admin, launchplan(flow, "plan", notifications=notifications))
        return (await admin.launch(Launch("eta/production/plan@v1", inputs))).id

    async def noted(self, admin: Admin, count: int, **query: Any) -> list[NotificationEntry]:
        """So many that are listed, once there are."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while len(found := (await telling(admin).notifications(NotificationQuery(**query))).items) < count:
                await asyncio.sleep(0.02)
        return found

    async def test_what_a_launch_plan_wants_told_is_listed(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`notifications`: of an execution that has failed, those that are told so, and nobody else; it is tried, and waits."""
        told = [Notify("ops"), Notify("team", on=["SUCCEEDED"]), Notify("all", on=ENDS), Notify("late", after="1h")]
        async with self.both(home) as (admin, engine):
            id = await self.launched(admin, flows.fails, {"n": 1, "least": str(tmp_path / "least")}, told)
            await engine.wait(id)
            found = await self.noted(admin, 2)
            assert sorted(each.channel for each in found) == ["all", "ops"]
            assert len({each.id for each in found}) == 2
            for each in found:
                assert (each.execution, each.phase) == (id, ExecutionPhase.FAILED)
                assert (each.at, each.delivered_at) == ((await engine.describe(id, nodes=False)).ended_at, None)
                assert "eta/production/plan@v1" in each.title
                assert id in each.title
            async with asyncio.timeout(self.patience_s * 2 / 3):
                while not all(each.failed for each in await self.noted(admin, 2, state=NotificationState.WAITING)):
                    await asyncio.sleep(0.02)
            for each in await self.noted(admin, 2):
                assert repr(each.channel) in each.failed
                assert each.tries
                assert each.next is not None

    async def test_a_missed_deadline_is_told_while_it_runs(self, home: TemporaryHome) -> None:
        """`NotifySpec.after_s`: an execution that has not ended in time; once, however it goes on."""
        told = [Notify("oncall", after=0.1), Notify("never", after="1h")]
        async with self.both(home) as (admin, engine):
            id = await self.launched(admin, flows.gated, {"n": 1}, told)
            (entry,) = await self.noted(admin, 1)
            assert (await engine.describe(id, nodes=False)).phase is ExecutionPhase.RUNNING
            assert (entry.channel, entry.phase, entry.execution) == ("oncall", ExecutionPhase.RUNNING, id)
            assert entry.at == pytest.approx((await engine.describe(id, nodes=False)).created_at + 0.1)
            await engine.signal(id, "go", Inline(True), "signal")
            await engine.wait(id)
            other = await admin.launch(Launch("eta/production/plan@v1", {"n": 2}))
            await self.noted(admin, 1, execution=other.id)
            assert [each.channel for each in await self.noted(admin, 1, execution=id)] == ["oncall"]

    async def test_what_was_missed_while_nobody_looked_is_told(self, home: TemporaryHome) -> None:
        """An end, and a deadline, that came while the admin was closed are told when it is open again, once."""
        told = [Notify("ops", on=["RUNNING", "ABORTED"]), Notify("oncall", after=0.5)]
        async with self.engine(home) as engine:
            async with self.opened(home, engine) as admin:
                id = await self.launched(admin, flows.gated, {"n": 1}, told)
                await self.noted(admin, 1)
            await asyncio.sleep(0.6)
            await engine.abort(id, "as asked")
            for _ in range(2):
                async with self.opened(home, engine) as admin:
                    found = await self.noted(admin, 3)
                    assert sorted((each.channel, each.phase.value) for each in found) == [
                        ("oncall", "ABORTED"), ("ops", "ABORTED"), ("ops", "RUNNING"),
                    ]  # fmt: skip
                    assert len({each.id for each in found}) == 3

    async def test_what_was_told_is_listed_in_pages(self, home: TemporaryHome) -> None:
        """`notifications`: the newest first, each once, by channel, execution and state."""
        async with self.both(home) as (admin, engine):
            ids = [await self.launched(admin, flows.twice, {"n": 1}, [Notify("a", on=ENDS), Notify("b", on=ENDS)])]
            for number in range(3):
                ids.append((await admin.launch(Launch("eta/production/plan@v1", {"n": number}))).id)
            await self._ended(engine, ids)
            every = [each.id for each in await self.noted(admin, 8)]
            assert len(set(every)) == 8
            query, seen = NotificationQuery(limit=3), list[str]()
            while True:
                page = await telling(admin).notifications(query)
                assert len(page.items) <= 3
                seen += [each.id for each in page.items]
                if not page.following:
                    break
                query = NotificationQuery(after=page.following, limit=3)
            assert seen == every
            assert len(await self.noted(admin, 4, channel="a")) == 4
            assert len(await self.noted(admin, 8, project="eta", domain="production")) == 8
            assert await self.noted(admin, 0, project="maps") == []
            assert len(await self.noted(admin, 2, execution=ids[0])) == 2
            assert await self.noted(admin, 0, state=NotificationState.DELIVERED) == []
            with pytest.raises(NotFound):
                await telling(admin).notifications(NotificationQuery(after="msg_none"))

    async def test_what_was_told_is_sent_again_where_somebody_asks(self, home: TemporaryHome) -> None:
        """`resend`: under the same id, as often as it takes; `NotFound` for what there is not."""
        async with self.both(home) as (admin, engine):
            await self._ended(engine, [await self.launched(admin, flows.twice, {"n": 1}, [Notify("ops", on=ENDS)])])
            (entry,) = await self.noted(admin, 1)
            again = await telling(admin).resend(entry.id)
            assert (again.id, again.state) == (entry.id, NotificationState.WAITING)
            assert [each.id for each in await self.noted(admin, 1)] == [entry.id]
            for unknown in ("msg_none", "x y"):
                with pytest.raises(NotFound):
                    await telling(admin).resend(unknown)

    async def _ended(self, engine: Engine, ids: Sequence[str]) -> None:
        await asyncio.gather(*(engine.wait(id) for id in ids))
