"""The routes: each calls the admin or the engine, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Request, Router
from litestar.params import FromQuery, QueryParameter
from litestar.response import Response, Stream
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError, EngineStopped, NotFound
from wingbeat.contracts.admin import (
    Admin,
    Definition,
    Entity,
    EntityPage,
    EntityQuery,
    ExecutionPage,
    ExecutionQuery,
    Kind,
    Launch,
    NotificationEntry,
    NotificationPage,
    NotificationQuery,
    NotificationState,
    Notifying,
    Registered,
    Registration,
)
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import LaunchReply, LaunchRequest, RecoveryPlan, Summary
from wingbeat.contracts.retention import Collected, Collecting
from wingbeat.spec.codec import check_closure
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal, Offloaded
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types import Blob
from wingbeat_admin.local.inputs import check_literals
from wingbeat_admin.local.telling import summary_of
from wingbeat_admin.server import streams
from wingbeat_admin.server.artifacts import artifact, artifacts, lineage
from wingbeat_admin.server.backfills import BACKFILLS
from wingbeat_admin.server.bodies import Reason, body_of, reference_of
from wingbeat_admin.server.dependencies import (
    Last,
    Limit,
    MaybeMoment,
    Moment,
    Number,
    Part,
    SortOfEntities,
    SortOfExecutions,
    TheAdmin,
    TheCaller,
    TheEnd,
    TheEngine,
    TheHome,
    ThePace,
    TheShown,
    get,
    post,
)
from wingbeat_admin.server.ending import before
from wingbeat_admin.server.filters import conditions, pairs
from wingbeat_admin.server.hiding import Hiding
from wingbeat_admin.server.needs import stamped
from wingbeat_admin.server.places import placed
from wingbeat_admin.server.projects import projects
from wingbeat_admin.server.references import referrers
from wingbeat_admin.server.refusals import refusals
from wingbeat_admin.server.repeated import IdempotencyKey, Tried, named, tagged
from wingbeat_admin.server.streams import message, paced
from wingbeat_admin.views import shown as as_json

WAIT_S_MAX = 30.0


class Collection(Struct, forbid_unknown_fields=True):
    """What is to be collected; `dry` only looks."""

    dry: bool = False


class Signal(Struct, forbid_unknown_fields=True):
    """The answer to a gate; the same `id` again changes nothing."""

    name: str
    value: Literal
    id: str


# -- the inventory


@get("/health")
async def health() -> dict[str, str]:
    """That it answers."""
    return {"status": "ok"}


@post("/registrations", body=Registration, answer=list[Registered])
async def register(request: Request[Any, Any, Any], admin: TheAdmin, caller: TheCaller) -> Response[list[Registered]]:
    """Register definitions, all or none."""
    registration = await body_of(request, Registration)
    found = await admin.register(registration, by=caller.name, within=caller.places())
    return Response(found, status_code=201)


@get("/entities")
async def entities(
    admin: TheAdmin,
    caller: TheCaller,
    kind: FromQuery[Kind | None] = None,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    name: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
    version: FromQuery[str] = "",
    by: FromQuery[str] = "",
    sort: SortOfEntities = "-created_at",
    scheduled: FromQuery[bool] = False,
) -> EntityPage:
    """What is registered: every version, the newest first, or by name or version. `by` is who has registered it; `scheduled` leaves
    the active launch plans that have a schedule: when they run next, or why they are paused."""
    query = EntityQuery(kind, project, domain, name, after, limit, caller.places(), version, by, sort, scheduled)
    return await admin.entities(query)


@get("/entities/{project:str}/{domain:str}/{name:str}/{version:str}")
async def entity(admin: TheAdmin, project: Part, domain: Part, name: Part, version: Part) -> Entity:
    """One version; `latest` stands for the active one of a launch plan, the newest of others."""
    return await admin.entity(reference_of(project, domain, name, version))


@get(
    "/entities/{project:str}/{domain:str}/{name:str}/{version:str}/definition",
    media_type="application/json",
    answer=Definition,
)
async def definition(
    request: Request[Any, Any, Any],
    admin: TheAdmin,
    shown: TheShown,
    project: Part,
    domain: Part,
    name: Part,
    version: Part,
) -> Response[bytes]:
    """What was registered: its specification."""
    found = await admin.definition(reference_of(project, domain, name, version))
    shown((found.closure,), found)
    return tagged(request, found)


@post("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/activate", status_code=200)
async def activate(
    admin: TheAdmin, caller: TheCaller, project: Part, domain: Part, name: Part, version: Part
) -> Entity:
    """Make a version of a launch plan the active one."""
    return await admin.activate(reference_of(project, domain, name, version), by=caller.name)


@post("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/deactivate", status_code=200)
async def deactivate(
    admin: TheAdmin, caller: TheCaller, project: Part, domain: Part, name: Part, version: Part
) -> Entity:
    """Have no version of a launch plan be active."""
    return await admin.deactivate(reference_of(project, domain, name, version), by=caller.name)


@get("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/ticks")
async def ticks(
    admin: TheAdmin, project: Part, domain: Part, name: Part, version: Part, after: Moment, count: Limit = 10
) -> list[float]:
    """When the schedule of a launch plan is due, behind a moment; all in epoch seconds."""
    return await admin.ticks(reference_of(project, domain, name, version), after, count)


@post("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/pause", status_code=200, body=Reason)
async def pause(
    admin: TheAdmin,
    caller: TheCaller,
    project: Part,
    domain: Part,
    name: Part,
    version: Part,
    request: Request[Any, Any, Any],
) -> Entity:
    """Let the ticks of an active launch plan pass without a launch."""
    data = await body_of(request, Reason)
    return await admin.pause(reference_of(project, domain, name, version), data.reason, by=caller.name)


@post("/entities/{project:str}/{domain:str}/{name:str}/{version:str}/resume", status_code=200)
async def resume(admin: TheAdmin, caller: TheCaller, project: Part, domain: Part, name: Part, version: Part) -> Entity:
    """Let its ticks launch again, those from now on."""
    return await admin.resume(reference_of(project, domain, name, version), by=caller.name)


# -- executions


@post("/executions", body=Launch, answer=LaunchReply, also=200)
async def launch(
    admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any], key: IdempotencyKey = None
) -> Response[LaunchReply]:
    """Begin an execution of something registered; it is durable when this answers. Who does not know whether a launch arrived sends
    it again, under the same name or `Idempotency-Key`."""
    data = named(await body_of(request, Launch), key, caller.name)
    reply = await admin.launch(data, by=caller.name)
    headers = {"location": f"/api/v1/executions/{reply.id}"}
    return Response(reply, status_code=201 if reply.created else 200, headers=headers)


@get("/executions")
async def executions(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    entity: FromQuery[str] = "",
    phase: FromQuery[ExecutionPhase | None] = None,
    after: FromQuery[str] = "",
    limit: Limit = 100,
    workflow: FromQuery[str] = "",
    labels: FromQuery[list[str] | None] = None,
    since: MaybeMoment = None,
    until: MaybeMoment = None,
    values: FromQuery[list[str] | None] = None,
    sort: SortOfExecutions = "-created_at",
) -> ExecutionPage:
    """The history. `labels` are `name=value`, `values` conditions as `inputs.city=sf` or `outputs.o0>=0.5`; all have to hold.
    `sort` also takes `inputs.city`, `outputs.o0` or `labels.team`, and `-` before it for the greatest first; what has nothing to be
    sorted by is not listed. The next page is behind the `following` of this one, as `after`."""
    query = ExecutionQuery(
        project, domain, entity, phase, after, limit, workflow, pairs(labels), since, until, conditions(values), sort,
        caller.places(),
    )  # fmt: skip
    return await admin.executions(query)


@get("/notifications")
async def notifications(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    execution: FromQuery[str] = "",
    channel: FromQuery[str] = "",
    in_state: Annotated[NotificationState | None, QueryParameter(name="state")] = None,
    after: FromQuery[str] = "",
    limit: Limit = 100,
    id: FromQuery[str] = "",
) -> NotificationPage:
    """What was told, or is to be, the newest first."""
    return await _telling(admin).notifications(
        NotificationQuery(project, domain, execution, channel, in_state, after, limit, caller.places(), id)
    )


def _telling(admin: Admin) -> Notifying:
    if not isinstance(admin, Notifying):
        raise NotFound("This server tells nobody.")
    return admin


@post("/notifications/{notification:str}/resend", status_code=200)
async def resend(admin: TheAdmin, caller: TheCaller, notification: Part) -> NotificationEntry:
    """Send it again."""
    return await _telling(admin).resend(notification, by=caller.name)


@get("/executions/{execution:str}")
async def describe(
    engine: TheEngine,
    home: TheHome,
    caller: TheCaller,
    shown: TheShown,
    execution: Part,
    *,
    nodes: FromQuery[bool] = True,
) -> dict[str, Any]:
    """One execution as it is now."""
    view = await Hiding(engine, caller).view(await engine.describe(execution, nodes=nodes))
    storage = home.storage()

    def read(literal: Offloaded) -> bytes:
        return storage.read_bytes(Blob(literal.uri, literal.uri.partition(":")[2], literal.size, ""))

    found = await asyncio.to_thread(as_json, view, read)
    shown((), found)
    return found


@get("/executions/{execution:str}/closure", media_type="application/json", answer=Closure)
async def closure(
    request: Request[Any, Any, Any], engine: TheEngine, shown: TheShown, execution: Part
) -> Response[bytes]:
    """The specification that it runs."""
    found: Closure = await engine.closure(execution)
    shown((found,), found)
    return tagged(request, found)


@get("/executions/{execution:str}/wait", media_type="application/json", answer=ExecutionPhase)
async def wait(
    engine: TheEngine,
    end: TheEnd,
    execution: Part,
    seconds: Annotated[float, QueryParameter(ge=0, le=WAIT_S_MAX)] = WAIT_S_MAX,
) -> Response[bytes]:
    """Its phase, when it has ended; or as it is after some seconds."""
    try:
        async with asyncio.timeout(seconds):
            async for phase in before(end, _phase(engine, execution)):
                return _json(phase)
    except TimeoutError:
        pass
    return _json((await engine.describe(execution, nodes=False)).phase)


@get("/executions/{execution:str}/events", media_type=streams.MEDIA_TYPE, answer=streams.Sent)
async def events(
    engine: TheEngine,
    end: TheEnd,
    pace: ThePace,
    execution: Part,
    after: Number = -1,
    last: Last = None,
) -> Stream:
    """What happens in it, as server-sent events, behind a cursor: `after`, or the header that browsers send when they resume."""
    await engine.describe(execution, nodes=False)  # what is not there is told by the status

    async def following() -> AsyncIterator[bytes]:
        with contextlib.suppress(EngineStopped):  # whoever follows goes on with the next server
            async for found in paced(end, engine.events(execution, after if last is None else last), pace):
                yield b"".join(message(msgspec.json.encode(event), id=event.cursor) for event in found)
            if not end.is_set():
                yield message(b"", event="end")

    return streams.stream(following())


@post("/executions/{execution:str}/abort", status_code=202, body=Reason)
async def abort(
    engine: TheEngine, execution: Part, request: Request[Any, Any, Any], tried: Tried = 0
) -> dict[str, str]:
    """Stop it. It has not ended yet when this answers: wait for it. Once more stops what cleans up, too."""
    data = await body_of(request, Reason)
    view = await engine.describe(execution, nodes=False)
    if tried and view.phase is ExecutionPhase.ABORTING:  # by this very request
        return {"status": "aborting"}
    try:
        async with asyncio.timeout(1.0):
            await engine.abort(execution, data.reason)
    except TimeoutError:
        return {"status": "aborting"}
    return {"status": "ended"}


@post("/executions/{execution:str}/signals", status_code=204, body=Signal)
async def signal(engine: TheEngine, execution: Part, request: Request[Any, Any, Any]) -> None:
    """Answer a gate."""
    given = await body_of(request, Signal)
    await engine.signal(execution, given.name, given.value, given.id)


@get("/executions/{execution:str}/waiting", media_type="application/json", answer=str)
async def waiting(engine: TheEngine, caller: TheCaller, execution: Part, node: FromQuery[str] = "") -> Response[bytes]:
    """For what a node waits, or every one that has not ended; as text."""
    return _json(await Hiding(engine, caller).text(await engine.explain_waiting(execution, node)))


@get("/executions/{execution:str}/cache", media_type="application/json", answer=str)
async def cache(engine: TheEngine, caller: TheCaller, execution: Part, node: FromQuery[str]) -> Response[bytes]:
    """Why the outputs of a node were taken from the catalog or not; as text."""
    return _json(await Hiding(engine, caller).text(await engine.explain_cache(execution, node), ours=True))


# -- the engine itself, for kernels elsewhere


@post("/engine/launches", status_code=200, body=LaunchRequest)
async def engine_launch(
    engine: TheEngine, admin: TheAdmin, caller: TheCaller, request: Request[Any, Any, Any]
) -> LaunchReply:
    """Begin an execution of a specification that is not registered."""
    given = await body_of(request, LaunchRequest)
    check_literals(given.closure.workflow.interface, given.inputs, given.closure.workflow.name)
    return await engine.launch(await placed(admin, stamped(given, caller)))


@post("/engine/recovery-plans", status_code=200, body=LaunchRequest)
async def recovery_plan(engine: TheEngine, request: Request[Any, Any, Any]) -> RecoveryPlan:
    """What recovering an execution would take over."""
    given = await body_of(request, LaunchRequest)
    check_closure(given.closure)
    return await engine.recovery_plan(given)


@get("/engine/executions")
async def engine_executions(
    engine: TheEngine, admin: TheAdmin, caller: TheCaller, after: FromQuery[str] = "", limit: Limit = 100
) -> list[Summary]:
    """Executions as the journal has them, the newest first; those of some places as the history has them."""
    if (places := caller.places()) is None:
        return await engine.executions(after=after, limit=limit)
    found = (await admin.executions(ExecutionQuery(after=after, limit=limit, within=places))).items
    return [summary_of(each) for each in found]


@get("/engine/changes", media_type=streams.MEDIA_TYPE, answer=streams.Sent)
async def changes(
    engine: TheEngine,
    end: TheEnd,
    pace: ThePace,
    after: Number = 0,
    last: Last = None,
) -> Stream:
    """Executions that are launched or change their phase, as server-sent events, behind a number."""

    async def following() -> AsyncIterator[bytes]:
        number = after if last is None else last
        with contextlib.suppress(EngineStopped):  # as above
            async for pages in paced(end, engine.changes(number), pace):
                for page in pages:
                    number = page[-1].number if page else number
                    seen = [change for change in page if end.sees(change.execution.labels)]
                    if seen or not page:  # that there is nothing more is told, too
                        yield message(pace.written(page if len(seen) == len(page) else seen), id=number)

    return streams.stream(following())


@post("/engine/evictions", status_code=200, body=Eviction)
async def evict(engine: TheEngine, request: Request[Any, Any, Any]) -> Evicted:
    """Remove entries from the catalog."""
    data = await body_of(request, Eviction)
    return await engine.evict_cache(data)


@post("/engine/collections", status_code=200, body=Collection)
async def collect(engine: TheEngine, request: Request[Any, Any, Any]) -> Collected:
    """Let go of what is over, or only look."""
    data = await body_of(request, Collection)
    if not isinstance(engine, Collecting):
        raise ConfigurationError(f"{type(engine).__name__} keeps everything.")
    return await engine.collect(dry=data.dry)


async def _phase(engine: TheEngine, execution: str) -> AsyncIterator[ExecutionPhase]:
    yield await engine.wait(execution)


def _json(value: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json")


ROUTES = Router(
    "/api/v1",
    route_handlers=[
        health, register, entities, entity, definition, activate, deactivate, ticks, pause, resume, launch, executions,
        notifications, resend, refusals, projects,
        describe, closure, wait, events, abort, signal, waiting, cache, engine_launch, recovery_plan, engine_executions,
        changes, evict, collect, artifacts, artifact, lineage, referrers, *BACKFILLS,
    ],
)  # fmt: skip

__all__ = ["ROUTES"]
