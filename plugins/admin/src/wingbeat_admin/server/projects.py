"""The route of projects, where the admin lists them."""

from __future__ import annotations

from litestar.params import FromQuery

from wingbeat.base.errors import NotFound
from wingbeat.contracts.projects import ProjectPage, ProjectQuery, Surveying
from wingbeat_admin.server.dependencies import Limit, TheAdmin, TheCaller, get


@get("/projects")
async def projects(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> ProjectPage:
    """Domains of projects in which there is something that the caller may see, by their names."""
    if not isinstance(admin, Surveying):
        raise NotFound("This server does not list projects.")
    return await admin.projects(ProjectQuery(project, domain, after, limit, caller.places()))
