"""The routes that run an execution again, where the admin does so: who asks brings neither code nor values."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import LaunchReply, RecoveryPlan
from wingbeat.contracts.relaunch import Relaunch, Relaunching
from wingbeat_admin.server.bodies import Again, body_of
from wingbeat_admin.server.dependencies import Part, TheAdmin, TheCaller, post
from wingbeat_admin.server.policy import Caller
from wingbeat_admin.server.repeated import IdempotencyKey, named


@post("/executions/{execution:str}/relaunch", body=Again, answer=LaunchReply, also=200)
async def relaunch(
    admin: TheAdmin, caller: TheCaller, execution: Part, request: Request[Any, Any, Any], key: IdempotencyKey = None
) -> Response[LaunchReply]:
    """Run it again with its inputs, all of it: what it has run, or another version of what is registered."""
    given = await body_of(request, Again)
    return await _begun(admin, Relaunch(execution, given.entity, given.name, resume=given.resume), key, caller)


@post("/executions/{execution:str}/recover", body=Again, answer=LaunchReply, also=200)
async def recover(
    admin: TheAdmin, caller: TheCaller, execution: Part, request: Request[Any, Any, Any], key: IdempotencyKey = None
) -> Response[LaunchReply]:
    """Run it again with its inputs, and keep what has succeeded in it where nothing changed."""
    given = await body_of(request, Again)
    return await _begun(admin, Relaunch(execution, given.entity, given.name, True, given.resume), key, caller)


@post("/executions/{execution:str}/recovery-plan", status_code=200, body=Again)
async def recovery(admin: TheAdmin, execution: Part, request: Request[Any, Any, Any]) -> RecoveryPlan:
    """What to recover it would keep, and why not the rest. Nothing is launched."""
    given = await body_of(request, Again)
    return await _relaunching(admin).recovery(Relaunch(execution, given.entity))


async def _begun(admin: Admin, relaunch: Relaunch, key: str | None, caller: Caller) -> Response[LaunchReply]:
    reply = await _relaunching(admin).relaunch(named(relaunch, key, caller.name), by=caller.name)
    headers = {"location": f"/api/v1/executions/{reply.id}"}
    return Response(reply, status_code=201 if reply.created else 200, headers=headers)


def _relaunching(admin: Admin) -> Relaunching:
    if not isinstance(admin, Relaunching):
        raise NotFound("This server runs nothing again by its id.")
    return admin


AGAIN = Router("/api/v1", route_handlers=[relaunch, recover, recovery])
"""Relaunch and recovery of executions."""
