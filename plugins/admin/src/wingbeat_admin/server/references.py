"""The route that says who refers to a version, where the admin knows it."""

from __future__ import annotations

from litestar.params import FromQuery

from wingbeat.base.errors import NotFound
from wingbeat.contracts.references import ReferrerPage, Referring
from wingbeat_admin.server.bodies import reference_of
from wingbeat_admin.server.dependencies import Limit, Part, TheAdmin, TheCaller, get


@get("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/referrers")
async def referrers(
    admin: TheAdmin,
    caller: TheCaller,
    project: Part,
    domain: Part,
    name: Part,
    version: Part,
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> ReferrerPage:
    """Who refers to a version, the newest first; those where the caller may not look are counted."""
    if not isinstance(admin, Referring):
        raise NotFound("This server does not know who refers to what.")
    reference = reference_of(project, domain, name, version)
    return await admin.referrers(reference, after=after, limit=limit, within=caller.places())
