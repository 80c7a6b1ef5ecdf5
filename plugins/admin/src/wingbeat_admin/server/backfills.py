"""The routes of backfills, where the admin runs any."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request
from litestar.params import FromQuery, QueryParameter
from litestar.response import Response

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.backfill import (
    Backfill,
    BackfillEntry,
    Backfilling,
    BackfillPage,
    BackfillPhase,
    BackfillPlan,
    BackfillQuery,
)
from wingbeat_admin.server.bodies import Reason, Resumption, body_of
from wingbeat_admin.server.dependencies import Limit, Part, TheAdmin, TheCaller, TheShown, get, post


@post("/backfills", body=Backfill)
async def create_backfill(
    admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any]
) -> Response[BackfillEntry]:
    """Begin a backfill: the ticks of a launch plan's schedule within a range, each as an execution."""
    entry = await _filling(admin).create_backfill(await body_of(request, Backfill), by=caller.name)
    return Response(entry, status_code=201, headers={"location": f"/api/v1/backfills/{entry.id}"})


@post("/backfill-plans", status_code=200, body=Backfill)
async def backfill_plan(admin: TheAdmin, request: Request[Any, Any, Any]) -> BackfillPlan:
    """What creating a backfill would do."""
    return await _filling(admin).backfill_plan(await body_of(request, Backfill))


@get("/backfills")
async def backfills(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    name: FromQuery[str] = "",
    in_phase: Annotated[BackfillPhase | None, QueryParameter(name="phase")] = None,
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> BackfillPage:
    """Backfills, the newest first."""
    return await _filling(admin).backfills(
        BackfillQuery(project, domain, name, in_phase, after, limit, caller.places())
    )


@get("/backfills/{backfill:str}")
async def backfill(admin: TheAdmin, shown: TheShown, backfill: Part) -> BackfillEntry:
    """One backfill as it is now, with its inputs and some of its failures."""
    found = await _filling(admin).backfill(backfill)
    shown((), found)
    return found


@post("/backfills/{backfill:str}/pause", status_code=200, body=Reason)
async def pause_backfill(
    admin: TheAdmin, caller: TheCaller, backfill: Part, request: Request[Any, Any, Any]
) -> BackfillEntry:
    """Have it take no tick for now."""
    data = await body_of(request, Reason)
    return await _filling(admin).pause_backfill(backfill, data.reason, by=caller.name)


@post("/backfills/{backfill:str}/resume", status_code=200, body=Resumption)
async def resume_backfill(
    admin: TheAdmin, caller: TheCaller, backfill: Part, request: Request[Any, Any, Any]
) -> BackfillEntry:
    """Have it go on, also with the ticks that have failed where that is wanted."""
    data = await body_of(request, Resumption)
    return await _filling(admin).resume_backfill(backfill, failed=data.failed, by=caller.name)


@post("/backfills/{backfill:str}/abort", status_code=202, body=Reason)
async def abort_backfill(
    admin: TheAdmin, caller: TheCaller, backfill: Part, request: Request[Any, Any, Any]
) -> BackfillEntry:
    """Have it take no tick any more, and stop what it has launched."""
    data = await body_of(request, Reason)
    return await _filling(admin).abort_backfill(backfill, data.reason, by=caller.name)


def _filling(admin: Admin) -> Backfilling:
    if not isinstance(admin, Backfilling):
        raise NotFound("This server runs no backfills.")
    return admin


BACKFILLS = [
    create_backfill,
    backfill_plan,
    backfills,
    backfill,
    pause_backfill,
    resume_backfill,
    abort_backfill,
]
