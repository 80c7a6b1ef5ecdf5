"""The admin of a home, in the process that works with it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError, InputError, NotFound
from wingbeat.base.ids import check_execution_id, digest, short_id
from wingbeat.calls import Calls
from wingbeat.contracts.admin import (
    BY_LABEL,
    PAGE_MAX,
    REQUEST_LABEL,
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
    Registered,
    Registration,
)
from wingbeat.contracts.artifacts import ArtifactEntry, ArtifactPage, ArtifactQuery, Lineage
from wingbeat.contracts.backfill import (
    BACKFILL_LABEL,
    Backfill,
    BackfillEntry,
    BackfillPage,
    BackfillPlan,
    BackfillQuery,
)
from wingbeat.contracts.engine import Engine, LaunchReply, LaunchRequest, RecoveryPlan
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.notifier import Notifier
from wingbeat.contracts.projects import ProjectPage, ProjectQuery
from wingbeat.contracts.references import ReferrerPage
from wingbeat.contracts.refusals import RefusalPage, RefusalQuery
from wingbeat.contracts.relaunch import Relaunch
from wingbeat.contracts.retention import Expired
from wingbeat.contracts.storage import Storage
from wingbeat.spec.codec import canonical
from wingbeat.spec.definition import borrowed_of, check_borrowed
from wingbeat.spec.entities import LaunchPlanSpec
from wingbeat.spec.identity import Identity, check_place, check_version, parse_identity, parse_name, parse_reference
from wingbeat.spec.labels import check_labels, check_plan_labels
from wingbeat.spec.literal import Literals
from wingbeat.spec.ticks import check_schedule, ticks
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, ScheduleSpec
from wingbeat_admin.local import backfills, projects, references, refusals, retention
from wingbeat_admin.local.access import LocalAccess
from wingbeat_admin.local.firing import below_others, kickoff
from wingbeat_admin.local.follower import Follower
from wingbeat_admin.local.inputs import are_small, literals_of
from wingbeat_admin.local.launching import repeated, requested, sent, there
from wingbeat_admin.local.places import LocalPlaces
from wingbeat_admin.local.quotas import check_versions
from wingbeat_admin.local.ranges import check_range, ids_of, ticks_in
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.teller import Teller, channels_of, safely_told
from wingbeat_admin.local.watched import of_registered, warnings_of
from wingbeat_admin.settings import Rule

P = ParamSpec("P")
T = TypeVar("T")

VERSION_DIGITS = 16
"""Of the digest that is the version where none is given."""
ABREAST_S_MAX = 5.0
"""For so long it waits at its start for what has happened meanwhile."""
CLOSE_S_MAX = 10.0
"""For so long a notifier may close."""
MOMENT_MAX = 32_503_680_000.0
"""The year 3000, in epoch seconds."""
AUDIT_DAYS = 365
DEFINITIONS_MAX = 64
"""So many are kept in memory; what is registered does not change."""
FIRST_TOLD = 10
"""So many ticks are told of what a backfill would do."""

_log = logging.getLogger("wingbeat.admin")


class LocalAdmin:
    """A `wingbeat.contracts.admin.Admin` that keeps artifacts and runs backfills, over an engine and a file that it has for itself.

    Args:
        path: The file. It is created, its folder is not.

        storage: Where large inputs are kept.

        audit_days: For so long entries of the audit log are kept.

        clock: What time it is, in epoch seconds.

        notifiers: By name; they are closed with it.

        rules: Who is told of executions, besides what their launch plans say.

        give_up_s: A message that nobody takes is given up after so long.

    Raises:
        ConfigurationError: Two notifiers have channels of one name; a rule is none.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        storage: Storage,
        *,
        clock: Callable[[], float] = time.time,
        notifiers: Mapping[str, Notifier] = MappingProxyType({}),
        rules: Sequence[Rule] = (),
        give_up_s: float = 86400.0,
        audit_days: float = AUDIT_DAYS,
    ) -> None:
        self._path, self._engine, self._storage, self._clock = path, engine, storage, clock
        self._rules = rules
        self._notifiers = {name: Calls(each, f"The notifier {name!r}") for name, each in notifiers.items()}
        self._channels = channels_of(self._notifiers)
        self._teller = Teller(engine, self.do, self._channels, clock, give_up_s)
        for rule in rules:
            self._check_channel(rule.spec.to, "a rule of [notify]")
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._follower: Follower | None = None
        self._definitions: dict[Identity, Definition] = {}
        self._access = LocalAccess(self.do, clock, audit_days, _owner)
        self._places = LocalPlaces(self.do, clock, self._access, self._look)

    @property
    def access(self) -> LocalAccess:
        """See `Admin.access`."""
        return self._access

    @property
    def places(self) -> LocalPlaces:
        """See `wingbeat.contracts.places.Governed`."""
        return self._places

    async def start(self) -> None:
        """See `Admin.start`."""
        self._thread = ThreadPoolExecutor(1, "admin")
        try:
            self._store = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except BaseException:
            self._thread.shutdown(wait=False)
            self._thread = None
            raise
        hit("admin.opened")
        self._follower = Follower(self._engine, self.do, self.run, self._clock, self._teller)
        self._follower.start()
        with contextlib.suppress(TimeoutError):  # a long history is told as far as it is known
            async with asyncio.timeout(ABREAST_S_MAX):
                await self._follower.abreast.wait()

    async def close(self) -> None:
        """See `Admin.close`."""
        follower, self._follower = self._follower, None
        if follower is not None:
            await self._teller.drain()
            await follower.close()
        await self._close_notifiers()
        if (store := self._store) is not None and self._thread is not None:
            self._store = None  # who comes now is told that it is not open
            await asyncio.get_running_loop().run_in_executor(self._thread, store.close)
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    async def register(
        self, registration: Registration, *, by: str = "", within: tuple[str, ...] | None = None
    ) -> list[Registered]:
        """See `Admin.register`."""
        ids = _identities(registration)
        registered: dict[str, Definition] = {}
        for id in borrowed_of(registration.definitions):
            with contextlib.suppress(NotFound):
                registered[id] = await self.definition(id)
        check_borrowed(registration.definitions, registered)
        hit("admin.register")
        now, who, place = self._clock(), by or _owner(), (registration.project, registration.domain)

        def register(store: Store) -> list[Registered]:
            found = store.register(ids, registration.definitions, now, who)
            check_versions(store.db, *place, sum(each.created for each in found))
            references.index_all(store.db, store.definition)
            return of_registered(store, found, registration.definitions, within)

        told = f"{len(ids)} as {ids[0]}" if len(ids) > 1 else str(ids[0])
        found: list[Registered] = await self._access.change("register", told, *place, by, register)
        self._look()
        return found

    async def entity(self, reference: str) -> Entity:
        """See `Admin.entity`."""
        return await self.do(Store.entity, *parse_reference(reference))

    async def referrers(
        self, reference: str, *, after: str = "", limit: int = 100, within: tuple[str, ...] | None = None
    ) -> ReferrerPage:
        """See `Referring.referrers`."""
        id, _ = await self._resolved(reference)
        return await self.do(Store.within, references.page, id, after, limit, within)

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
        match trigger:
            case OnEndSpec():
                watched = trigger.workflow
            case OnArtifactSpec():
                watched = f"artifact {trigger.artifact}"
            case OnVersionSpec():
                watched = f"version {trigger.entity}"
            case ScheduleSpec():
                first = next(ticks(trigger.when, now), None)
        warnings = await self.do(warnings_of, id, definition, _launchplan(id, definition))
        for spec in _launchplan(id, definition).notifications:
            self._check_channel(spec.to, str(id))
        await self._change("activate", id, by, lambda store: store.activate(id, watched, first, now))
        hit("admin.activated")
        self._look()
        _log.info("launch plan %s is active, by %s", id, by or _owner())
        return replace(await self.entity(str(id)), warnings=tuple(warnings))

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.deactivate`."""
        id, definition = await self._resolved(reference)
        _launchplan(id, definition)
        await self._change("deactivate", id, by, lambda store: store.deactivate(id.entity))
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

        def pause(store: Store) -> None:
            why = reason or store.entity(id.entity, "").paused or f"paused by {by or 'its owner'}"
            if not store.pause(id.entity, why, None):
                raise InputError(f"{id.entity} is not active, so nothing has to be paused.")

        await self._change("pause", id, by, pause)
        return await self.entity(str(id))

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.resume`."""
        id, schedule = await self._scheduled(reference)
        next_ = next(ticks(schedule.when, self._clock()), None)

        def resume(store: Store) -> None:
            if not store.pause(id.entity, "", next_):
                raise InputError(f"{id.entity} is not active.", hint=f"wingbeat activate launchplan {id}")

        await self._change("resume", id, by, resume)
        self._look()
        return await self.entity(str(id))

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """See `Admin.launch`."""
        check_labels(launch.labels)
        small = are_small(launch.inputs)  # which is soon done: a thread would cost more
        asked = ""
        if launch.name:
            asked = sent(launch) if small else await asyncio.to_thread(sent, launch)
            if (found := await there(self._engine, launch.name, asked)) is not None:
                return found
        id, definition = await self._resolved(launch.entity)
        if small:
            given = literals_of(definition, launch.inputs, self._storage, str(id))
        else:
            given = await asyncio.to_thread(literals_of, definition, launch.inputs, self._storage, str(id))
        if self._follower is None:
            raise ConfigurationError("The admin is not open.")
        inputs, uses = await self._follower.completed(definition, given, {}, str(id))
        ours = {BY_LABEL: by, REQUEST_LABEL: asked}
        labels = {**launch.labels, **{name: value for name, value in ours.items() if value}}
        return await self.run(id, definition, inputs, uses, launch.name or short_id(os.urandom(16)), labels=labels)

    async def relaunch(self, relaunch: Relaunch, *, by: str = "") -> LaunchReply:
        """See `Relaunching.relaunch`."""
        asked = sent(relaunch) if relaunch.name else ""
        if asked and (found := await there(self._engine, relaunch.name, asked)) is not None:
            return found
        request = await self._repeated(relaunch, by)
        if asked:
            request = replace(request, labels={**request.labels, REQUEST_LABEL: asked})
        return await self._launch(request)

    async def recovery(self, relaunch: Relaunch) -> RecoveryPlan:
        """See `Relaunching.recovery`."""
        return await self._engine.recovery_plan(await self._repeated(replace(relaunch, recover=True)))

    async def _repeated(self, relaunch: Relaunch, by: str = "") -> LaunchRequest:
        if self._follower is None:
            raise ConfigurationError("The admin is not open.")
        return await repeated(relaunch, self._engine, self._resolved, self._follower.completed, by=by)

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """See `Admin.executions`."""
        return await self.do(Store.executions, query)

    async def artifacts(self, query: ArtifactQuery) -> ArtifactPage:
        """See `Artifacts.artifacts`."""
        return await self.do(Store.artifacts, query)

    async def artifact(self, reference: str, partitions: dict[str, str] | None = None) -> ArtifactEntry:
        """See `Artifacts.artifact`."""
        return await self.do(Store.artifact, reference, partitions or {})

    async def lineage(self, id: str, *, within: tuple[str, ...] | None = None) -> Lineage:
        """See `Artifacts.lineage`."""
        return await self.do(Store.lineage, id, within)

    async def notifications(self, query: NotificationQuery) -> NotificationPage:
        """See `Admin.notifications`."""
        return await self.do(Store.notifications, query)

    async def resend(self, id: str, *, by: str = "") -> NotificationEntry:
        """See `Admin.resend`."""
        found = await self.do(Store.resend, id, self._clock())
        self._teller.look()
        _log.info("notification %s is sent again, by %s", id, by or _owner())
        return found

    async def retained(self, executions: Sequence[str]) -> dict[str, str]:
        """See `Retaining.retained`. Nothing is let go of before the history knows of it, and what follows from it is decided."""
        async for changes in self._engine.changes(await self.do(Store.cursor)):
            if changes:
                return dict.fromkeys(executions, "the history has not come to its end yet")
            break
        return await self.do(Store.retained, executions)

    async def forget(self, executions: Sequence[str]) -> None:
        """See `Retaining.forget`."""
        await self.do(Store.forget, executions)
        hit("admin.forgotten")

    async def expire(self, before: float, limit: int, *, dry: bool = False) -> Expired:
        """See `Expiring.expire`."""
        if dry:
            return await self.do(Store.within, retention.expired, before)
        found: Expired = await self.do(Store.within, retention.expire, before, limit)
        hit("admin.expired")
        return found

    async def refusals(self, query: RefusalQuery) -> RefusalPage:
        """See `Refusing.refusals`."""
        return await self.do(Store.within, refusals.page, query)

    async def projects(self, query: ProjectQuery) -> ProjectPage:
        """See `Surveying.projects`."""
        return await self.do(Store.within, projects.page, query)

    async def create_backfill(self, backfill: Backfill, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.create_backfill`."""
        content = digest(canonical(backfill))
        wanted = replace(backfill, name=backfill.name or short_id(os.urandom(16)))
        check_execution_id(wanted.name, "a backfill")
        id, inputs, found = await self._planned(wanted)
        now, who = self._clock(), by or _owner()

        def create(store: Store) -> BackfillEntry:
            return backfills.create(store.db, id, wanted, content, inputs, found, who, by, now)

        told = f"{wanted.name}: {len(found)} ticks of {id}"
        entry: BackfillEntry = await self._access.change("backfill.create", told, id.project, id.domain, by, create)
        hit("admin.backfill-created")
        self._look()
        return entry

    async def backfill_plan(self, backfill: Backfill) -> BackfillPlan:
        """See `Backfilling.backfill_plan`."""
        id, _, found = await self._planned(backfill)
        there = 0
        if not backfill.again:
            executions = await asyncio.to_thread(ids_of, id.entity, found)
            for start in range(0, len(executions), PAGE_MAX):  # others have their turn in between
                there += await self.do(Store.within, backfills.known, executions[start : start + PAGE_MAX])
        first = found[::-1] if backfill.reverse else found
        return BackfillPlan(str(id), len(found), there, first[:FIRST_TOLD])

    async def backfill(self, id: str) -> BackfillEntry:
        """See `Backfilling.backfill`."""
        return await self.do(Store.within, backfills.one, id)

    async def backfills(self, query: BackfillQuery) -> BackfillPage:
        """See `Backfilling.backfills`."""
        return await self.do(Store.within, backfills.page, query)

    async def pause_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.pause_backfill`."""

        def pause(store: Store) -> BackfillEntry:
            why = reason or backfills.one(store.db, id).reason or f"paused by {by or 'its owner'}"
            return backfills.pause(store.db, id, why)

        return await self._change_backfill("backfill.pause", id, by, pause)

    async def resume_backfill(self, id: str, *, failed: bool = False, by: str = "") -> BackfillEntry:
        """See `Backfilling.resume_backfill`."""
        return await self._change_backfill(
            "backfill.resume", id, by, lambda store: backfills.resume(store.db, id, failed=failed)
        )

    async def abort_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.abort_backfill`."""
        why, now = reason or f"aborted by {by or 'its owner'}", self._clock()
        return await self._change_backfill(
            "backfill.abort", id, by, lambda store: backfills.abort(store.db, id, why, now)
        )

    async def _change_backfill(
        self, action: str, id: str, by: str, work: Callable[[Store], BackfillEntry]
    ) -> BackfillEntry:
        name = parse_identity((await self.backfill(id)).entity)
        entry: BackfillEntry = await self._access.change(action, id, name.project, name.domain, by, work)
        self._look()
        _log.info("%s: %s is %s, by %s", action, id, entry.phase, by or _owner())
        return entry

    async def _planned(self, backfill: Backfill) -> tuple[Identity, Literals, list[float]]:
        """What a backfill comes to: the version, what its executions are given besides ticks, and the ticks. Raises InputError."""
        check_range(backfill, self._clock())
        id, schedule = await self._scheduled(backfill.entity)
        definition = await self.definition(str(id))
        if schedule.input in backfill.inputs:
            raise InputError(
                f"Input {schedule.input!r} of {id} takes the tick: nobody can give it.", hint="Leave it out."
            )
        inputs = await asyncio.to_thread(literals_of, definition, backfill.inputs, self._storage, str(id))
        found = await asyncio.to_thread(ticks_in, schedule, backfill, str(id))
        if self._follower is None:
            raise ConfigurationError("The admin is not open.")
        # As that of the first tick, so that what is missing is told now.
        await self._follower.completed(definition, {**inputs, **kickoff(schedule, found[0])}, {}, str(id))
        return id, inputs, found

    # -- for the follower

    async def run(
        self,
        id: Identity,
        definition: Definition,
        inputs: Literals,
        uses: dict[str, str],
        name: str,
        *,
        cause: str = "",
        labels: dict[str, str] | None = None,
    ) -> LaunchReply:
        """Launch at the engine, under a name that makes it idempotent; `uses` are the artifacts among the inputs."""
        request = requested(id, definition, inputs, uses, name, cause=cause, labels=labels)
        return await self._launch(request, after_others=BACKFILL_LABEL in request.labels)

    async def _launch(self, request: LaunchRequest, *, after_others: bool = False) -> LaunchReply:
        request = await self._places.placed(request)
        if after_others:
            request = below_others(request)
        hit("admin.launch")
        reply = await self._engine.launch(request)
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
        if (known := self._definitions.get(id)) is not None:
            return id, known
        definition = self._definitions[id] = await self.do(Store.definition, id)
        if len(self._definitions) > DEFINITIONS_MAX:
            del self._definitions[next(iter(self._definitions))]
        return id, definition

    def _open(self) -> Store:
        store = Store(open_file(self._path), self._rules)
        while store.within(references.index, store.definition):
            pass  # a file from before there was the index
        return store

    async def _close_notifiers(self) -> None:
        notifiers, self._notifiers = self._notifiers, {}
        for name, notifier in notifiers.items():
            try:
                await notifier.close(CLOSE_S_MAX)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # a notifier that fails harms nobody else
                _log.warning("The notifier %r could not be closed: %s", name, safely_told(error))

    def _check_channel(self, channel: str, who: str) -> None:
        """Warn of what would not arrive: what is deployed elsewhere may have no such channel."""
        if channel not in self._channels:
            there = ", ".join(sorted(self._channels)) or "none"
            _log.warning("%s tells the channel %r, which is not set up here; channels are: %s", who, channel, there)

    async def _change(self, action: str, id: Identity, by: str, work: Callable[[Store], Any]) -> Any:
        return await self._access.change(action, str(id), id.project, id.domain, by, work)

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


@cache
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
    check_plan_labels(registration.definitions)
    version = registration.version
    if not version:
        content = digest(canonical(sorted(definition.digest for definition in registration.definitions)))
        version = content.removeprefix("sha256:")[:VERSION_DIGITS]
    check_version(version)
    ids = []
    for definition in registration.definitions:
        if definition.plan is not None and isinstance(definition.plan.trigger, ScheduleSpec):
            try:
                check_schedule(definition.plan.trigger)
            except InputError as error:
                raise InputError(f"Launch plan {definition.name}: {error.message}", hint=error.hint) from error
        name = parse_name(f"{registration.project}/{registration.domain}/{definition.name}")
        ids.append(name.at(version))
    if len(set(ids)) != len(ids):
        raise InputError("Two of what is to be registered have one name.")
    return ids


def _launchplan(id: Identity, definition: Definition) -> LaunchPlanSpec:
    if definition.kind is not Kind.LAUNCHPLAN or definition.plan is None:
        raise InputError(f"{id} is a {definition.kind.label}; only launch plans start by themselves.")
    return definition.plan
