"""The route of refusals, where the admin keeps any."""

from __future__ import annotations

from litestar.params import FromQuery

from wingbeat.base.errors import NotFound
from wingbeat.contracts.refusals import RefusalPage, RefusalQuery, Refusing
from wingbeat_admin.server.dependencies import Limit, TheAdmin, TheCaller, get


@get("/refusals")
async def refusals(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    name: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> RefusalPage:
    """What triggers were to start and what has not started, with why; the newest first."""
    if not isinstance(admin, Refusing):
        raise NotFound("This server does not keep what was refused.")
    return await admin.refusals(RefusalQuery(project, domain, name, after, limit, caller.places()))
