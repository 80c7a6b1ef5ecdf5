"""The admin: the inventory in files, the history asked of the engine."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from acme_ledger import inputs as given
from acme_ledger.book import Active, entities
from acme_ledger.files import Ledger
from acme_ledger.follower import Follower
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
    ExecutionEntry,
    ExecutionPage,
    ExecutionQuery,
    Launch,
    Registered,
    Registration,
)
from wingbeat.contracts.engine import Engine, LaunchReply, LaunchRequest, Summary
from wingbeat.contracts.storage import Storage
from wingbeat.spec.codec import canonical
from wingbeat.spec.definition import borrowed_of, check_borrowed
from wingbeat.spec.entities import LaunchPlanSpec
from wingbeat.spec.identity import Identity, check_place, check_version, parse_name, parse_reference
from wingbeat.spec.labels import check_labels, check_plan_labels, is_ours
from wingbeat.spec.literal import Literals
from wingbeat.spec.ticks import check_schedule, ticks
from wingbeat.spec.triggers import OnEndSpec, ScheduleSpec

P = ParamSpec("P")
T = TypeVar("T")

ABREAST_S_MAX = 5.0
"""For so long it waits at its start for what has happened meanwhile, and for what is due by that."""
MOMENT_MAX = 32_503_680_000.0
"""The year 3000."""


class LedgerAdmin:
    """A `wingbeat.contracts.admin.Admin`. One at a time has the files; all that it does with them is done in one thread."""

    def __init__(self, home: Path, folder: Path, engine: Engine, storage: Storage) -> None:
        self._home, self._folder, self._engine, self._storage = home, folder, engine, storage
        self._ledger: Ledger | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._follower: Follower | None = None

    async def start(self) -> None:
        """See `Admin.start`."""
        self._thread = ThreadPoolExecutor(1, "ledger")
        try:
            self._ledger = await asyncio.get_running_loop().run_in_executor(
                self._thread, Ledger, self._home, self._folder
            )
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self._follower = Follower(self._engine, self._do, self._run)
        self._follower.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABREAST_S_MAX):
                await self._follower.abreast.wait()
                await self._follower.idle.wait()

    async def close(self) -> None:
        """See `Admin.close`."""
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.close()
        ledger, self._ledger = self._ledger, None
        if ledger is not None and self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, ledger.close)
            self._thread.shutdown(wait=False)

    async def register(
        self, registration: Registration, *, by: str = "", within: tuple[str, ...] | None = None
    ) -> list[Registered]:
        """See `Admin.register`."""
        ids = _identities(registration)
        registered: dict[str, Definition] = {}
        for used in borrowed_of(registration.definitions):
            with contextlib.suppress(NotFound):
                registered[used] = await self.definition(used)
        check_borrowed(registration.definitions, registered)
        check_plan_labels(registration.definitions)
        pairs = list(zip(ids, registration.definitions, strict=True))
        return await self._do(Ledger.register, pairs, time.time(), by or _user())

    async def entity(self, reference: str) -> Entity:
        """See `Admin.entity`."""
        return await self._do(lambda ledger: ledger.entity(ledger.identity(*parse_reference(reference))))

    async def definition(self, reference: str) -> Definition:
        """See `Admin.definition`."""
        return (await self._found(reference))[1]

    async def entities(self, query: EntityQuery) -> EntityPage:
        """See `Admin.entities`: the newest first, whoever has registered them."""
        if query.by or query.scheduled or query.sort != EntityQuery().sort:
            raise InputError("This admin lists what is registered the newest first, and not by who has done it.")
        limit = max(1, min(query.limit, PAGE_MAX))
        found = await self._do(Ledger.entities, query, limit + 1)
        return EntityPage(found[:limit], found[limit - 1].id if len(found) > limit else "")

    async def activate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.activate`."""
        id, definition = await self._found(reference)
        trigger, now = _plan(id, definition).trigger, time.time()
        active = Active(id.version, now)
        if isinstance(trigger, OnEndSpec):
            active = Active(id.version, now, trigger.workflow)
            with contextlib.suppress(NotFound):  # it may be registered later
                watched = await self.entity(trigger.workflow)
                given.check_taken(trigger.inputs, definition.interface, watched.interface, watched.id)
        elif isinstance(trigger, ScheduleSpec):
            active = Active(id.version, now, next=next(ticks(trigger.when, now), None))
        await self._do(lambda ledger: ledger.write(ledger.book.activated(str(id.entity), active)))
        self._look()
        return await self.entity(str(id))

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.deactivate`."""
        id, definition = await self._found(reference)
        _plan(id, definition)
        await self._do(lambda ledger: ledger.write(ledger.book.deactivated(str(id.entity))))
        return await self.entity(str(id))

    async def ticks(self, reference: str, after: float, count: int = 10) -> list[float]:
        """See `Admin.ticks`."""
        if not 0 <= after <= MOMENT_MAX:
            raise InputError(f"{after!r} is no moment in epoch seconds.")
        _, schedule = await self._scheduled(reference)
        return list(islice(ticks(schedule.when, after), max(0, min(count, PAGE_MAX))))

    async def pause(self, reference: str, reason: str, *, by: str = "") -> Entity:
        """See `Admin.pause`."""
        id, _ = await self._scheduled(reference)
        why = reason or (await self.entity(str(id.entity))).paused
        return await self._paused(id, why or f"paused by {by or _user()}", None)

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.resume`."""
        id, schedule = await self._scheduled(reference)
        return await self._paused(id, "", next(ticks(schedule.when, time.time()), None))

    async def _paused(self, id: Identity, reason: str, next_: float | None) -> Entity:
        def change(ledger: Ledger) -> None:
            if str(id.entity) not in ledger.book.active:
                raise InputError(f"{id.entity} is not active.", hint=f"wingbeat activate launchplan {id}")
            ledger.write(ledger.book.paused(str(id.entity), reason, next_))

        await self._do(change)
        self._look()
        return await self.entity(str(id))

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """See `Admin.launch`."""
        check_labels(launch.labels)
        id, definition = await self._found(launch.entity)
        literals = await asyncio.to_thread(given.given, definition, launch.inputs, self._storage.put_bytes, str(id))
        return await self._run(id, definition, literals, launch.name or short_id(os.urandom(16)), labels=launch.labels)

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """See `Admin.executions`: those of the engine whose labels say that they are wanted. So nothing is kept of them here."""
        if query.entity:
            parse_reference(query.entity)
        if (
            msgspec.structs.replace(query, project="", domain="", entity="", phase=None, after="", limit=100)
            != ExecutionQuery()
        ):
            raise InputError("This admin finds executions by project, domain, entity and phase only, the newest first.")
        limit, found = max(1, min(query.limit, PAGE_MAX)), list[ExecutionEntry]()
        async for summary in self._summaries(query.after):
            if _selected(summary, query):
                found.append(_entry(summary))
            if len(found) > limit:
                return ExecutionPage(found[:limit], found[limit - 1].id)
        return ExecutionPage(found)

    async def _summaries(self, after: str) -> AsyncIterator[Summary]:
        while page := await self._engine.executions(after=after, limit=PAGE_MAX):
            for summary in page:
                yield summary
            after = page[-1].id

    async def _run(
        self, id: Identity, definition: Definition, inputs: Literals, name: str, *, cause: str = "",
        labels: dict[str, str] | None = None,
    ) -> LaunchReply:  # fmt: skip
        """Launch at the engine. What it is of, and why, are labels: the history is made of them."""
        plan = definition.plan
        own = {} if plan is None else {name: label for name, label in plan.labels.items() if not is_ours(name)}
        told = {**own, **(labels or {}), ENTITY_LABEL: str(id)}
        told |= {"project": id.project, "domain": id.domain, **({CAUSE_LABEL: cause} if cause else {})}
        request = LaunchRequest(definition.closure, inputs, name, labels=told)
        if plan is not None:
            how = ("concurrency", "pool", "priority", "failure_policy")
            request = msgspec.structs.replace(request, **{option: getattr(plan, option) for option in how})
        return await self._engine.launch(request)

    async def _do(self, work: Callable[Concatenate[Ledger, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the files, in their thread, to its end also if the caller is cancelled."""
        ledger = self._ledger
        if ledger is None or self._thread is None:
            raise ConfigurationError("The admin is not open.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(ledger, *args, **kwargs))

    async def _found(self, reference: str) -> tuple[Identity, Definition]:
        name, version = parse_reference(reference)

        def find(ledger: Ledger) -> tuple[Identity, Definition]:
            id = ledger.identity(name, version)
            return id, ledger.definition(id)

        return await self._do(find)

    async def _scheduled(self, reference: str) -> tuple[Identity, ScheduleSpec]:
        id, definition = await self._found(reference)
        trigger = _plan(id, definition).trigger
        if not isinstance(trigger, ScheduleSpec):
            raise InputError(f"{id} has no schedule.")
        return id, trigger

    def _look(self) -> None:
        if self._follower is not None:
            self._follower.look()


def _identities(registration: Registration) -> list[Identity]:
    """What the definitions are registered as. Raises `InputError`."""
    check_place(registration.project, registration.domain)
    content = digest(canonical(sorted(definition.digest for definition in registration.definitions)))
    version = registration.version or content.removeprefix("sha256:")[:16]
    check_version(version)
    ids = []
    for definition in registration.definitions:
        if definition.plan is not None and isinstance(definition.plan.trigger, ScheduleSpec):
            check_schedule(definition.plan.trigger)
        ids.append(parse_name(f"{registration.project}/{registration.domain}/{definition.name}").at(version))
    if not ids or len(set(ids)) != len(ids):
        raise InputError("There is nothing to register, or two of it have one name.")
    return ids


def _plan(id: Identity, definition: Definition) -> LaunchPlanSpec:
    if definition.plan is not None and not isinstance(definition.plan.trigger, OnEndSpec | ScheduleSpec | None):
        raise InputError(f"{id} waits for artifacts or versions, of which this admin keeps none.")
    if definition.plan is not None and (definition.plan.notifications or definition.plan.newest):
        raise InputError(f"{id} tells others, or takes artifacts: this admin does neither.")
    if definition.plan is None:
        raise InputError(f"{id} is a {definition.kind.label}; only a launch plan starts by itself.")
    return definition.plan


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # one without a name, as in a container
        return str(os.getuid())


def _selected(summary: Summary, query: ExecutionQuery) -> bool:
    labels = summary.labels
    wanted = (query.project, query.domain, query.phase)
    has = (labels.get("project", ""), labels.get("domain", ""), summary.phase)
    of = [each if "@" in query.entity else each.partition("@")[0] for each in entities(summary)]
    return query.entity in ("", *of) and all(not w or w == h for w, h in zip(wanted, has, strict=True))


def _entry(summary: Summary) -> ExecutionEntry:
    labels = summary.labels
    shown = {name: label for name, label in labels.items() if not is_ours(name)}
    return ExecutionEntry(
        summary.id, summary.workflow, summary.phase, summary.created_at, summary.ended_at, labels.get("project", ""),
        labels.get("domain", ""), labels.get(ENTITY_LABEL, ""), labels.get(CAUSE_LABEL, ""), shown,
    )  # fmt: skip
