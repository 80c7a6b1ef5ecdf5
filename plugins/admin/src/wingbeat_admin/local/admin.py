"""The admin of a home, in the process that works with it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from wingbeat.base.errors import ConfigurationError, InputError, NotFound
from wingbeat.base.ids import digest, short_id
from wingbeat.contracts.admin import (
    CAUSE_LABEL,
    ENTITY_LABEL,
    PAGE_MAX,
    Definition,
    Entity,
    EntityPage,
    EntityQuery,
    ExecutionPage,
    ExecutionQuery,
    Kind,
    Launch,
    Registered,
    Registration,
)
from wingbeat.contracts.engine import Engine, LaunchReply, LaunchRequest
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.storage import Storage
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import LaunchPlanSpec
from wingbeat.spec.identity import Identity, check_place, check_version, parse_identity, parse_name, parse_reference
from wingbeat.spec.literal import Literals
from wingbeat.spec.triggers import OnEndSpec, ScheduleSpec
from wingbeat_admin.local.firing import check_taken
from wingbeat_admin.local.follower import Follower
from wingbeat_admin.local.inputs import literals_of
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.ticks import check, ticks

P = ParamSpec("P")
T = TypeVar("T")

VERSION_DIGITS = 16
"""Of the digest that is the version where none is given."""
ABREAST_S_MAX = 5.0
"""For so long it waits at its start for what has happened meanwhile, and for what is due by that."""
MOMENT_MAX = 32_503_680_000.0
"""The year 3000, in epoch seconds."""
RESERVED = "wingbeat/"
"""What labels of ours begin with."""

_log = logging.getLogger("wingbeat.admin")


class LocalAdmin:
    """A `wingbeat.contracts.admin.Admin` over a file, which it has for itself, and an engine.

    Args:
        path: The file. It is created, its folder is not.

        storage: Where large inputs are kept.

        clock: What time it is, in epoch seconds.
    """

    def __init__(self, path: Path, engine: Engine, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._engine, self._storage, self._clock = path, engine, storage, clock
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._follower: Follower | None = None

    async def start(self) -> None:
        """See `Admin.start`."""
        self._thread = ThreadPoolExecutor(1, "admin")
        try:
            self._store = Store(await asyncio.get_running_loop().run_in_executor(self._thread, open_file, self._path))
        except BaseException:
            self._thread.shutdown(wait=False)
            self._thread = None
            raise
        hit("admin.opened")
        self._follower = Follower(self._engine, self.do, self.run, self._clock)
        self._follower.start()
        with contextlib.suppress(TimeoutError):  # a long history is told as far as it is known
            async with asyncio.timeout(ABREAST_S_MAX):
                await self._follower.abreast.wait()
                await self._follower.idle.wait()

    async def close(self) -> None:
        """See `Admin.close`."""
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.close()
        if self._store is not None:
            await self.do(Store.close)
            self._store = None
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    async def register(self, registration: Registration, *, by: str = "") -> list[Registered]:
        """See `Admin.register`."""
        ids = _identities(registration)
        hit("admin.register")
        return await self.do(Store.register, ids, registration.definitions, self._clock(), by or _owner())

    async def entity(self, reference: str) -> Entity:
        """See `Admin.entity`."""
        return await self.do(Store.entity, *parse_reference(reference))

    async def definition(self, reference: str) -> Definition:
        """See `Admin.definition`."""
        return (await self._resolved(reference))[1]

    async def entities(self, query: EntityQuery) -> EntityPage:
        """See `Admin.entities`."""
        return await self.do(Store.entities, query)

    async def activate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.activate`."""
        id, definition = await self._resolved(reference)
        trigger, now = _launchplan(id, definition).trigger, self._clock()
        watched, first = "", None
        if isinstance(trigger, OnEndSpec):
            watched = trigger.workflow
            await self._check_watched(trigger, definition)
        elif trigger is not None:
            first = next(ticks(trigger.when, now), None)
        await self.do(Store.activate, id, watched, first, now)
        hit("admin.activated")
        self._look()
        _log.info("launch plan %s is active, by %s", id, by or _owner())
        return await self.entity(str(id))

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.deactivate`."""
        id, definition = await self._resolved(reference)
        _launchplan(id, definition)
        await self.do(Store.deactivate, id.entity)
        _log.info("launch plan %s is not active any more, by %s", id.entity, by or _owner())
        return await self.entity(str(id))

    async def ticks(self, reference: str, after: float, count: int = 10) -> list[float]:
        """See `Admin.ticks`."""
        if not 0 <= after <= MOMENT_MAX:
            raise InputError(f"{after!r} is no moment in epoch seconds.")
        schedule = await self._scheduled(reference)
        return list(islice(ticks(schedule[1].when, after), max(0, min(count, PAGE_MAX))))

    async def pause(self, reference: str, reason: str, *, by: str = "") -> Entity:
        """See `Admin.pause`."""
        id, _ = await self._scheduled(reference)
        if not await self.do(Store.pause, id.entity, reason or f"paused by {by or 'its owner'}", None):
            raise InputError(f"{id.entity} is not active, so nothing has to be paused.")
        return await self.entity(str(id))

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.resume`."""
        id, schedule = await self._scheduled(reference)
        if not await self.do(Store.pause, id.entity, "", next(ticks(schedule.when, self._clock()), None)):
            raise InputError(f"{id.entity} is not active.", hint=f"wingbeat activate launchplan {id}")
        self._look()
        return await self.entity(str(id))

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """See `Admin.launch`."""
        for name in launch.labels:
            if name.startswith(RESERVED) or name in ("project", "domain"):
                raise InputError(f"The label {name!r} is ours.", hint="Choose another name.")
        id, definition = await self._resolved(launch.entity)
        inputs = await asyncio.to_thread(literals_of, definition, launch.inputs, self._storage, str(id))
        return await self.run(id, definition, inputs, launch.name or short_id(os.urandom(16)), labels=launch.labels)

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """See `Admin.executions`."""
        return await self.do(Store.executions, query)

    # -- for the follower

    async def run(
        self,
        id: Identity,
        definition: Definition,
        inputs: Literals,
        name: str,
        *,
        cause: str = "",
        labels: dict[str, str] | None = None,
    ) -> LaunchReply:
        """Launch at the engine, under a name that makes it idempotent."""
        plan = definition.plan
        told = {**({} if plan is None else plan.labels), **(labels or {}), ENTITY_LABEL: str(id)}
        told |= {"project": id.project, "domain": id.domain}
        if cause:
            told[CAUSE_LABEL] = cause
        concurrency = None if plan is None else plan.concurrency
        hit("admin.launch")
        reply = await self._engine.launch(
            LaunchRequest(definition.closure, inputs, name, labels=told, concurrency=concurrency)
        )
        hit("admin.launched")
        return reply

    async def do(self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the file, in its thread, to its end also if the caller is cancelled."""
        if self._store is None or self._thread is None:
            raise ConfigurationError("The admin is not open.")
        store = self._store
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(store, *args, **kwargs))

    async def _resolved(self, reference: str) -> tuple[Identity, Definition]:
        name, version = parse_reference(reference)
        if not version:
            version = parse_identity((await self.do(Store.entity, name, "")).id).version
        id = name.at(version)
        return id, await self.do(Store.definition, id)

    def _look(self) -> None:
        if self._follower is not None:
            self._follower.look()

    async def _scheduled(self, reference: str) -> tuple[Identity, ScheduleSpec]:
        """A launch plan that has a schedule: the active version, where none is named. Raises InputError."""
        id, definition = await self._resolved(reference)
        trigger = _launchplan(id, definition).trigger
        if not isinstance(trigger, ScheduleSpec):
            raise InputError(f"{id} has no schedule.", hint='LaunchPlan(…, trigger=Cron("0 3 * * *")) has one.')
        return id, trigger

    async def _check_watched(self, trigger: OnEndSpec, definition: Definition) -> None:
        """Whether what a trigger takes is given, as far as the other workflow is registered yet."""
        try:
            watched = await self.do(Store.entity, parse_name(trigger.workflow), "")
        except NotFound:
            return
        check_taken(trigger.inputs, definition.interface, watched.interface, watched.id)


def _owner() -> str:
    """Who works with the home: the user of this process, where nobody has to prove who they are."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # one without a name, as in a container
        return str(os.getuid())


def _identities(registration: Registration) -> list[Identity]:
    """What the definitions are registered as. Raises InputError."""
    check_place(registration.project, registration.domain)
    if not registration.definitions:
        raise InputError("There is nothing to register.")
    version = registration.version
    if not version:
        content = digest(canonical(sorted(definition.digest for definition in registration.definitions)))
        version = content.removeprefix("sha256:")[:VERSION_DIGITS]
    check_version(version)
    ids = []
    for definition in registration.definitions:
        if definition.plan is not None and isinstance(definition.plan.trigger, ScheduleSpec):
            check(definition.plan.trigger)
        name = parse_name(f"{registration.project}/{registration.domain}/{definition.name}")
        ids.append(name.at(version))
    if len(set(ids)) != len(ids):
        raise InputError("Two of what is to be registered have one name.")
    return ids


def _launchplan(id: Identity, definition: Definition) -> LaunchPlanSpec:
    if definition.kind is not Kind.LAUNCHPLAN or definition.plan is None:
        raise InputError(f"{id} is a {definition.kind.label}; only launch plans start by themselves.")
    return definition.plan
