"""The routes of keys, grants and the audit log: what each takes is in the table, as of all routes."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router
from litestar.params import FromQuery
from msgspec.structs import replace

from wingbeat.contracts.access import ApiKey, AuditCheck, AuditPage, AuditQuery, Grant, NewKey, Outcome, Role, access_of
from wingbeat_admin.client.access import KeyRequest, Login, Me
from wingbeat_admin.places import is_within
from wingbeat_admin.server.bodies import body_of
from wingbeat_admin.server.dependencies import Limit, Number, Part, TheAdmin, TheCaller, TheLogin, delete, get, post


@get("/login")
async def how(login: TheLogin) -> Login:
    """How one logs in here."""
    return login


@get("/me")
async def me(caller: TheCaller) -> Me:
    """Who asks, and what they may do."""
    return Me(caller.name, list(caller.grants))


@get("/apikeys")
async def keys(admin: TheAdmin, caller: TheCaller) -> list[ApiKey]:
    """Keys that have a role where the caller is an admin, with those roles; by name."""
    places = caller.places(Role.ADMIN)
    found = await access_of(admin).keys()
    if places is None:
        return found
    limited = [replace(key, grants=_within(key.grants, places)) for key in found]
    return [key for key in limited if key.grants]


@post("/apikeys", body=KeyRequest)
async def create_key(admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any]) -> NewKey:
    """Make a key. It is in this answer, and nowhere else."""
    given = await body_of(request, KeyRequest)
    access = access_of(admin)
    return await access.create_key(given.name, given.grants, given.expires_at, by=caller.name, limits=given.limits)


@delete("/apikeys/{name:str}")
async def delete_key(admin: TheAdmin, caller: TheCaller, name: Part) -> None:
    """Have a key not be taken any more, at once."""
    await access_of(admin).delete_key(name, by=caller.name)


@get("/grants")
async def grants(admin: TheAdmin, caller: TheCaller, principal: FromQuery[str] = "") -> list[Grant]:
    """Roles in places where the caller is an admin."""
    return _within(await access_of(admin).grants(principal), caller.places(Role.ADMIN))


@post("/grants", status_code=200, body=Grant)
async def create_grant(admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any]) -> bool:
    """Give a role; says whether something has changed."""
    return await access_of(admin).create_grant(await body_of(request, Grant), by=caller.name)


@delete("/grants")
async def delete_grant(
    admin: TheAdmin, caller: TheCaller, principal: FromQuery[str], project: FromQuery[str], domain: FromQuery[str]
) -> None:
    """Take a role away, at once."""
    await access_of(admin).delete_grant(principal, project, domain, by=caller.name)


@get("/audit")
async def audit(
    admin: TheAdmin,
    caller: TheCaller,
    principal: FromQuery[str] = "",
    action: FromQuery[str] = "",
    outcome: FromQuery[Outcome | None] = None,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    after: Number = 0,
    limit: Limit = 100,
) -> AuditPage:
    """The audit log of where the caller is an admin, the newest first."""
    places = caller.places(Role.ADMIN)
    return await access_of(admin).audit(AuditQuery(principal, action, outcome, project, domain, after, limit, places))


@get("/audit/verification")
async def verify_audit(admin: TheAdmin, held: FromQuery[str] = "") -> AuditCheck:
    """Whether the audit log is as it was written; and whether it goes on behind `held`, the `newest` of an earlier answer."""
    return await access_of(admin).verify_audit(held)


def _within(found: list[Grant], places: tuple[str, ...] | None) -> list[Grant]:
    return [grant for grant in found if is_within(places, grant.project, grant.domain)]


ACCESS = Router(
    "/api/v1",
    route_handlers=[how, me, keys, create_key, delete_key, grants, create_grant, delete_grant, audit, verify_audit],
)
