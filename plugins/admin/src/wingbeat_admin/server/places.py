"""The routes of settings of places, where the admin keeps any; and launches at the engine, which have them too."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router
from litestar.params import FromQuery

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.contracts.places import Governed, Places, Setting, Settled
from wingbeat_admin.local.places import LocalPlaces
from wingbeat_admin.server.bodies import body_of
from wingbeat_admin.server.dependencies import Part, TheAdmin, TheCaller, delete, get, post


@get("/settings")
async def settings(admin: TheAdmin, caller: TheCaller) -> list[Setting]:
    """What was said of places where the caller may look."""
    return await _keeping(admin).settings(within=caller.places())


@post("/settings", status_code=200, body=Setting)
async def create_setting(admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any]) -> bool:
    """Say something of a place; says whether something has changed."""
    return await _keeping(admin).create_setting(await body_of(request, Setting), by=caller.name)


@delete("/settings")
async def delete_setting(
    admin: TheAdmin, caller: TheCaller, name: FromQuery[str], project: FromQuery[str], domain: FromQuery[str]
) -> None:
    """Say it no more."""
    await _keeping(admin).delete_setting(name, project, domain, by=caller.name)


@get("/settings/{project:str}/{domain:str}")
async def settled(admin: TheAdmin, project: Part, domain: Part, launchplan: FromQuery[str] = "") -> list[Settled]:
    """What holds in a place, and who says so: of what a launch plan launches, if one is named."""
    return await _keeping(admin).settled(project, domain, launchplan)


async def placed(admin: Admin, request: LaunchRequest) -> LaunchRequest:
    """What is launched at the engine itself, as what is launched by the admin of this home: no other decides about its engine."""
    places = admin.places if isinstance(admin, Governed) else None
    return await places.placed(request) if isinstance(places, LocalPlaces) else request


def _keeping(admin: Admin) -> Places:
    if not isinstance(admin, Governed):
        raise NotFound("This server keeps no settings of places.")
    return admin.places


PLACES = Router("/api/v1", route_handlers=[settings, create_setting, delete_setting, settled])
