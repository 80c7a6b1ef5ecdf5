"""What every admin must do that lists projects: see `wingbeat.testing.conformance.admin` for how a test class is derived."""

from __future__ import annotations

from wingbeat.contracts.admin import Admin, Launch
from wingbeat.contracts.projects import ProjectPage, ProjectQuery, Surveying
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome


class ProjectsContract(AdminStage):
    """The contract of `wingbeat.contracts.projects.Surveying` as tests."""

    async def asked(self, admin: Admin, query: ProjectQuery) -> ProjectPage:
        """A page."""
        assert isinstance(admin, Surveying), f"{type(admin).__name__} lists no projects"
        return await admin.projects(query)

    async def test_where_there_is_something_is_listed(self, home: TemporaryHome) -> None:
        """`projects`: by name, in pages, with what is there; also behind an `after` that is not there."""
        async with self.both(home) as (admin, _):
            assert await self.asked(admin, ProjectQuery()) == ProjectPage([])
            await self.put(
                admin, workflow(flows.twice, "flows.twice"), launchplan(flows.twice, "plan", inputs={"n": 1})
            )
            for project in ("maps", "a-team"):
                await self.put(admin, workflow(flows.twice, "flows.twice"), project=project)
            await admin.activate("eta/production/plan@v1")
            await admin.launch(Launch("eta/production/flows.twice", {"n": 1}, "one"))
            await self.history(admin, lambda found: [each.id for each in found] == ["one"])
            page = await self.asked(admin, ProjectQuery(limit=2))
            assert [each.id for each in page.items] == ["a-team/production", "eta/production"]
            found = page.items[1]
            assert (found.project, found.domain, found.versions, found.active) == ("eta", "production", 2, 1)
            assert found.registered_at is not None
            assert found.launched_at is not None
            rest = await self.asked(admin, ProjectQuery(limit=2, after=page.following))
            assert ([each.id for each in rest.items], rest.following) == (["maps/production"], "")
            assert rest.items[0].launched_at is None
            for query, ids in (
                (ProjectQuery("eta"), ["eta/production"]),
                (ProjectQuery(domain="development"), []),
                (ProjectQuery(after="b/none"), ["eta/production", "maps/production"]),
            ):
                assert [each.id for each in (await self.asked(admin, query)).items] == ids
