"""What every admin must do that knows who refers to what: see `wingbeat.testing.conformance.admin` for how a class is derived."""

from __future__ import annotations

import pytest

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.references import Referring
from wingbeat.spec.codec import borrowing
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import Borrowed, TaskSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

SOURCE = "maps/production/twice"


def borrower(name: str, version: str, plan: bool = False) -> Definition:
    """What calls a version of `SOURCE`."""
    own = launchplan(flows.twice, name) if plan else workflow(flows.twice, name)
    code = Borrowed(f"{SOURCE}@{version}", own.closure.bundle, own.closure.environment)
    tasks = [digest for digest, each in own.closure.entities.items() if isinstance(each, TaskSpec)]
    return Definition(own.kind, name, borrowing(own.closure, dict.fromkeys(tasks, code)), own.plan)


class ReferencesContract(AdminStage):
    """The contract of `wingbeat.contracts.references.Referring` as tests."""

    async def referred(self, admin: Admin) -> Referring:
        """Two versions of a workflow, and who refers to the first one in two projects."""
        assert isinstance(admin, Referring), f"{type(admin).__name__} does not know who refers to what"
        for version in ("v1", "v2"):
            await self.put(admin, workflow(flows.twice, "twice"), project="maps", version=version)
        await self.put(admin, borrower("rides.ride", "v1"), workflow(flows.gated, "rides.other"))
        await self.put(admin, borrower("nightly", "v1", plan=True), version="v2")
        await self.put(admin, borrower("costs.cost", "v1"), project="costs")
        return admin

    async def test_who_refers_to_a_version_is_known(self, home: TemporaryHome) -> None:
        """`referrers`: of that version, the newest first, with launch plans that are active; also over a restart."""
        async with self.both(home) as (admin, _):
            await self.referred(admin)
            await admin.activate("eta/production/nightly@v2")
        async with self.both(home) as (admin, _):
            assert isinstance(admin, Referring)
            found = (await admin.referrers(f"{SOURCE}@v1")).items
            assert [(each.id, each.kind, each.active) for each in found] == [
                ("costs/production/costs.cost@v1", Kind.WORKFLOW, False),
                ("eta/production/nightly@v2", Kind.LAUNCHPLAN, True),
                ("eta/production/rides.ride@v1", Kind.WORKFLOW, False),
            ]
            assert all(each.created_at > 0 for each in found)
            for reference in (f"{SOURCE}@v2", SOURCE, "eta/production/rides.ride@v1"):
                assert (await admin.referrers(reference)).items == []
            for unknown in (f"{SOURCE}@v3", "maps/production/nothing"):
                with pytest.raises(NotFound):
                    await admin.referrers(unknown)

    async def test_they_are_listed_in_pages(self, home: TemporaryHome) -> None:
        """`referrers`: continues behind one of them, which has to be there."""
        async with self.both(home) as (admin, _):
            referring, seen, after = await self.referred(admin), list[str](), ""
            while True:
                page = await referring.referrers(f"{SOURCE}@v1", after=after, limit=2)
                assert len(page.items) <= 2
                seen += [each.id for each in page.items]
                if not (after := page.following):
                    break
            assert [id.rpartition("/")[2] for id in seen] == ["costs.cost@v1", "nightly@v2", "rides.ride@v1"]
            with pytest.raises(NotFound):
                await referring.referrers(f"{SOURCE}@v1", after="eta/production/nothing@v1")
