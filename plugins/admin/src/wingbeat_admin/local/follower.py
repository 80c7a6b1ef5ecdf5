"""Follows the engine: keeps the history, and launches what triggers have decided on.

Whatever happens, nothing is lost and nothing doubled: a change is taken note of together with the cursor and with what follows
from it, and what follows is launched under a name worked out from why. A crash between the two launches it again under that name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from wingbeat.base.errors import (
    ConfigurationError,
    ConflictError,
    EngineStopped,
    InputError,
    JournalDamaged,
    LimitReached,
    NotFound,
    SetAside,
)
from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL
from wingbeat.contracts.artifacts import ArtifactEntry
from wingbeat.contracts.backfill import BACKFILL_LABEL
from wingbeat.contracts.engine import Adjusting, Engine, ExecutionView, LaunchReply
from wingbeat.contracts.failpoints import hit
from wingbeat.spec.definition import Definition
from wingbeat.spec.entities import Interface, Variable
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, ScheduleSpec
from wingbeat.types import ValueMismatch
from wingbeat_admin.local import backfill_notices, backfills
from wingbeat_admin.local.active import halted
from wingbeat_admin.local.artifacts import Publishing
from wingbeat_admin.local.backfills import Stopped
from wingbeat_admin.local.due import Due, later_of, overtaken, waiting_before
from wingbeat_admin.local.firing import check_taken, kickoff, taken
from wingbeat_admin.local.history import Values, texts_of
from wingbeat_admin.local.holding import hold
from wingbeat_admin.local.inputs import completed
from wingbeat_admin.local.publishing import entries, keys_bound, keys_taken
from wingbeat_admin.local.store import Noted, Store
from wingbeat_admin.local.teller import Teller
from wingbeat_admin.local.telling import Deadline
from wingbeat_admin.local.waiting import either

AGAIN_S = 0.5
AGAIN_S_MAX = 30.0
DUE_PAGE = 100
GATHER_S = 0.05
"""So long it waits before it takes note of more: what comes meanwhile is one transaction, and what follows is looked for once."""
ASIDE_S = 10.0
"""So much later it asks again for an execution that could not be read when the home was opened."""
LATER_S_MIN = 1.0
"""At least so much later what has no room now is launched: many may wait for it."""
_DEFINITE = (ConflictError, InputError, LimitReached, NotFound, ValueMismatch)
"""Launching it again would end the same way."""

_log = logging.getLogger("wingbeat.admin")


class _Waits(Exception):
    """Something that was launched has to end first."""


class Follower:
    """Tasks that go on: one takes note of changes, one looks at values, one publishes artifacts, one looks at ticks, one at
    deadlines, one launches what is due, of backfills too, one has changed quotas hold, and one for each channel sends.

    Args:
        do: Does something with the file.

        run: Launches at the engine: `LocalAdmin.run`.

        teller: Sends what is to be told.
    """

    def __init__(
        self,
        engine: Engine,
        do: Callable[..., Awaitable[Any]],
        run: Callable[..., Awaitable[LaunchReply]],
        clock: Callable[[], float],
        teller: Teller,
    ) -> None:
        self._teller = teller
        self._engine, self._do, self._run, self._clock = engine, do, run, clock
        self.abreast = asyncio.Event()
        """Set once all that there was is in the history, and what followed from it is published and launched."""
        self._all_noted, self._all_published = asyncio.Event(), asyncio.Event()
        self._noted, self._changed = asyncio.Event(), asyncio.Event()
        self._due, self._looked, self._lined = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._said = asyncio.Event()
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._due.set()  # what was decided before
        self._tasks = [
            asyncio.create_task(self._again(self._note), name="admin history"),
            asyncio.create_task(self._again(self._read), name="admin values"),
            asyncio.create_task(self._again(self._publish), name="admin artifacts"),
            asyncio.create_task(self._again(self._tick), name="admin ticks"),
            asyncio.create_task(self._again(self._launch), name="admin launches"),
            asyncio.create_task(self._again(self._deadlines), name="admin deadlines"),
            *(asyncio.create_task(self._again(w), name=f"admin channel {n}") for n, w in self._teller.works().items()),
        ]
        if isinstance(self._engine, Adjusting):
            work = partial(hold, self._engine, self._do, self._said)
            self._tasks.append(asyncio.create_task(self._again(work), name="admin quotas"))

    def look(self) -> None:
        """Look at schedules, quotas and at what is due now: something has changed."""
        self._said.set()
        self._looked.set()
        self._due.set()

    async def close(self) -> None:
        """Stop; what is due stays in the file."""
        tasks = [*self._tasks, *self._stopping.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever: what fails is tried again, ever later."""
        pause = AGAIN_S
        while True:
            began = self._clock()
            try:
                await work()
            except EngineStopped:
                return
            except Exception as error:  # noqa: BLE001  # nobody else would go on with it
                _log.warning("It is tried again in %g s: %s: %s", pause, type(error).__name__, error)
            if self._clock() - began > AGAIN_S_MAX:
                pause = AGAIN_S
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_S_MAX)

    async def _note(self) -> None:
        async for changes in self._engine.changes(await self._behind()):
            if not changes:
                self._all_noted.set()
                self._noted.set()
                continue
            hit("admin.change")
            noted: Noted = await self._do(Store.project, changes, self._clock())
            hit("admin.noted")
            self._changed.set()
            if noted.launches:
                self._due.set()
                self._noted.set()
            if noted.notices:
                self._teller.look()
                self._lined.set()
            await asyncio.sleep(GATHER_S)

    async def _behind(self) -> int:
        """Where to go on. If the engine has come to less than the history, as it has when an older journal was put back, what
        it runs now has numbers that the history has seen: from the beginning, then. What is noted again changes nothing."""
        cursor: int = await self._do(Store.cursor)
        async for changes in self._engine.changes(max(cursor - 1, 0)):
            if changes or not cursor:
                return cursor
            break
        _log.warning(
            "The engine has no change %d, up to which the history has come: it looks at all of them again.", cursor
        )
        return 0

    async def _read(self) -> None:
        """Look at the values of executions, so that they are found by them."""
        while True:
            self._changed.clear()
            found: list[tuple[str, int]] = await self._do(Store.unread, DUE_PAGE)
            await self._do(Store.add_values, [await self._values(*one) for one in found])
            hit("admin.values-read")
            if not found:
                await self._changed.wait()

    async def _values(self, execution: str, mark: int) -> Values:
        try:
            view = await self._engine.describe(execution, nodes=False)
        except (JournalDamaged, NotFound) as error:
            _log.warning("The execution %s is not found by its values: %s", execution, error)
            return Values(execution, mark, {}, {})
        return Values(execution, mark, texts_of(view.inputs), texts_of(view.outputs or {}))

    async def _publish(self) -> None:
        while True:
            self._noted.clear()
            all_noted = self._all_noted.is_set()
            found: list[Publishing] = await self._do(Store.publishing, DUE_PAGE)
            for one in found:
                await self._publish_one(one)
            if not found:
                if all_noted:
                    self._all_published.set()
                    self._due.set()
                await self._noted.wait()

    async def _publish_one(self, one: Publishing) -> None:
        id = parse_identity(one.entity)
        try:
            workflow = (await self._do(Store.definition, id)).closure.workflow
            view = await self._engine.describe(one.execution, nodes=False)
            made = entries(id, workflow, view, one.at)
        except _DEFINITE as error:
            _log.warning("The execution %s of %s publishes nothing: %s", one.execution, id, error)
            made = []
        hit("admin.publish")
        if await self._do(Store.publish, one.execution, made, self._clock()):
            self._due.set()
        hit("admin.published")

    async def _tick(self) -> None:
        while True:
            self._looked.clear()
            decided, again = await self._do(Store.look, self._clock())
            hit("admin.looked")
            if decided:
                self._due.set()
            await either(self._looked, None if again is None else again - self._clock())

    async def _deadlines(self) -> None:
        while True:
            self._lined.clear()
            now = self._clock()
            found: list[Deadline] = await self._do(Store.deadlines, now, DUE_PAGE)
            aside = False
            for deadline in found:
                # The engine knows better than the history, which may lag: what has ended in time is not late.
                try:
                    late = await self._late(deadline)
                except SetAside:
                    aside = True
                    continue
                if await self._do(Store.settle, deadline, late, now):
                    self._teller.look()
            if aside:
                await either(self._lined, ASIDE_S)
            if not found:
                earliest = await self._do(Store.next_deadline)
                await either(self._lined, None if earliest is None else earliest - self._clock())

    async def _late(self, deadline: Deadline) -> ExecutionView | None:
        try:
            view = await self._engine.describe(deadline.execution, nodes=False)
        except SetAside:
            raise
        except NotFound:
            return None
        return None if view.ended_at is not None and view.ended_at <= deadline.at else view

    async def _launch(self) -> None:
        while True:
            self._due.clear()
            now, all_published = self._clock(), self._all_published.is_set()
            taken: int = await self._do(Store.within, backfills.take, now)
            if taken:
                hit("admin.ticks-taken")
            found: list[Due] = await self._do(Store.ready, now, DUE_PAGE)
            ended = await asyncio.gather(
                *map(self._launch_due, found), return_exceptions=True
            )  # all of them: see `_stop_backfills`
            await self._stop_backfills()
            await self._stop_overtaken()
            if await self._do(backfill_notices.tell, now):
                self._teller.look()
            for error in ended:
                if error is not None:
                    raise error
            if not found and not taken:
                if all_published:
                    self.abreast.set()
                earliest = await self._do(Store.earliest, now)
                await either(self._due, None if earliest is None else earliest - self._clock())

    async def _launch_due(self, due: Due) -> None:
        try:
            await (self._launch_tick(due) if due.backfill else self._launch_one(due))
        except _Waits:
            return  # its turn comes with the end of another one
        except SetAside as error:  # what is there already comes back
            _log.info("%s is launched later for %s: %s", due.entity, due.cause, error.message)
            await self._do(Store.postponed, due.execution, self._clock() + ASIDE_S)

    async def _launch_one(self, due: Due) -> None:
        try:
            id = parse_identity(due.entity)
            definition = await self._do(Store.definition, id)
            assert definition.plan is not None
            await self._run(id, definition, *await self._inputs(due, definition), due.execution, cause=due.cause)
        except SetAside:
            raise
        except _DEFINITE as error:
            if isinstance(error, ConflictError) and await self._was_launched(due):
                await self._do(Store.launched, due.execution)
            elif not await self._postponed(due, error):
                _log.warning("%s cannot be launched for %s: %s", due.entity, due.cause, error)
                await self._do(Store.refused, due.execution, str(error))
        else:
            hit("admin.due-launched")
            await self._do(Store.launched, due.execution)

    async def _was_launched(self, due: Due) -> bool:
        """Whether what is there is this launch: before a crash, where the default failure policy was another one."""
        try:
            labels = (await self._engine.describe(due.execution, nodes=False)).labels
        except SetAside:
            raise
        except (JournalDamaged, NotFound):
            return False
        return (labels.get(ENTITY_LABEL), labels.get(CAUSE_LABEL)) == (due.entity, due.cause)

    async def _postponed(self, due: Due, error: Exception) -> bool:
        """Launch it later, if that is what a refusal says: it was the quota of a minute, whose time comes."""
        if not isinstance(error, LimitReached) or not error.retry_after_s:
            return False
        _log.info("%s is launched later for %s: %s", due.entity, due.cause, error.message)
        await self._do(Store.postponed, due.execution, self._clock() + max(error.retry_after_s, LATER_S_MIN))
        return True

    async def _launch_tick(self, due: Due) -> None:
        """Launch what a backfill has taken. Its tick may be there: the schedule, or another backfill, was faster."""
        id, now = parse_identity(due.entity), self._clock()
        inputs, principal = await self._do(Store.within, backfills.given, due.backfill)
        try:
            definition = await self._do(Store.definition, id)
            assert definition.plan is not None
            assert isinstance(definition.plan.trigger, ScheduleSpec)
            assert due.tick is not None
            given = {**inputs, **kickoff(definition.plan.trigger, due.tick)}
            whole = await self.completed(definition, given, {}, due.entity)
            labels = {BACKFILL_LABEL: due.backfill, **({BY_LABEL: principal} if principal else {})}
            try:
                reply = await self._run(id, definition, *whole, due.execution, cause=due.cause, labels=labels)
                created = reply.created
            except ConflictError:  # of another version, or with other inputs
                created = False
            ours = created or await self._is_of(due.backfill, due.execution)
        except ConfigurationError as error:
            _log.warning("The backfill %s pauses: %s", due.backfill, error)
            await self._do(Store.within, backfills.put_back, due.execution, error.message, now)
        except SetAside:
            raise
        except _DEFINITE as error:
            if not await self._postponed(due, error):
                _log.warning("%s cannot be launched for %s: %s", due.entity, due.cause, error)
                await self._do(Store.within, backfills.refused, due.execution, str(error), now)
        else:
            hit("admin.tick-launched")
            if ours:
                await self._do(Store.launched, due.execution)
            else:
                await self._do(Store.within, backfills.found_there, due.execution, now)

    async def _is_of(self, backfill: str, execution: str) -> bool:
        """Whether an execution that is there is the backfill's: one that was launched before a crash."""
        try:
            view = await self._engine.describe(execution, nodes=False)
        except JournalDamaged:  # nobody can say, and it does not go on
            return False
        return view.labels.get(BACKFILL_LABEL) == backfill

    async def _stop_backfills(self) -> None:
        """Stop what backfills that were aborted have launched. Nothing of them is being launched now: what the engine does not know
        was not launched."""
        for one in await self._do(Store.within, backfills.stopped, DUE_PAGE):
            hit("admin.backfill-stop")
            self._beside(one.execution, self._stop(one))

    async def _stop(self, one: Stopped) -> None:
        try:
            if await self._is_of(one.backfill, one.execution):
                await self._engine.abort(one.execution, one.reason)
            else:
                await self._do(Store.within, backfills.found_there, one.execution, self._clock())
        except SetAside:
            raise
        except NotFound:
            await self._do(Store.within, backfills.put_back, one.execution, "", self._clock())
            self._due.set()  # another backfill may have it

    async def _stop_overtaken(self) -> None:
        """Stop executions of schedules of which others take the place; nothing here waits for their ends."""
        for execution, by in await self._do(Store.within, overtaken, self._clock(), DUE_PAGE):
            hit("admin.overtaken-stop")
            self._beside(execution, self._abort(execution, by))

    def _beside(self, execution: str, stop: Coroutine[Any, Any, None]) -> None:
        """Stop it while others are launched, unless that is being done."""
        if execution in self._stopping:
            stop.close()
        else:
            self._stopping[execution] = asyncio.create_task(self._stopped(execution, stop), name="admin stop")

    async def _stopped(self, execution: str, stop: Coroutine[Any, Any, None]) -> None:
        try:
            await stop
        except EngineStopped:
            return
        except Exception as error:  # noqa: BLE001  # it is looked at again in a while
            _log.warning("%s is not stopped yet: %s: %s", execution, type(error).__name__, error)
        finally:
            del self._stopping[execution]

    async def _inputs(self, due: Due, definition: Definition) -> tuple[Literals, dict[str, str]]:
        """What it is launched with, and the artifacts among that."""
        assert definition.plan is not None
        given: Literals = {}
        uses: dict[str, str] = {}
        match definition.plan.trigger:
            case ScheduleSpec() as schedule:
                assert due.tick is not None
                given = kickoff(schedule, due.tick)
                await self._make_way(due, schedule)
            case OnEndSpec() as trigger:
                given = await self._taken(trigger.inputs, definition.interface, due.cause)
            case OnArtifactSpec() as trigger:
                entry: ArtifactEntry = await self._do(Store.artifact, due.cause, {})
                given = keys_taken(trigger.keys, entry.partitions, entry.id)
                if trigger.input:
                    given |= await self.value(entry, trigger.input, definition.interface)
                    uses[trigger.input] = entry.id
            case OnVersionSpec(input=input) if input:
                given = {input: Inline(due.cause.split(" ")[1])}
        return await self.completed(definition, given, uses, due.entity)

    async def completed(
        self, definition: Definition, given: Literals, uses: dict[str, str], name: str
    ) -> tuple[Literals, dict[str, str]]:
        """Inputs with newest artifacts, defaults and what is fixed filled in; and the artifacts among them. Raises InputError."""
        newest = {} if definition.plan is None else definition.plan.newest
        known = given  # what is looked for is no key
        for input, spec in newest.items():
            if input not in given:
                try:
                    entry = await self._do(Store.artifact, spec.artifact, keys_bound(spec, definition, known))
                except NotFound as error:
                    raise InputError(f"{name} takes {input!r} of what is not there yet: {error.message}") from error
                given = {**given, **await self.value(entry, input, definition.interface)}
                uses = {**uses, input: entry.id}
        return completed(definition, given, name), uses

    async def value(self, entry: ArtifactEntry, input: str, inputs: Interface) -> Literals:
        """The value of an artifact as an input. Raises InputError where the types do not fit."""
        takes, outputs = {input: entry.output}, Interface((), (Variable(entry.output, entry.type),))
        check_taken(takes, inputs, outputs, entry.id)
        view = await self._engine.describe(entry.execution, nodes=False)
        return taken(takes, inputs, outputs, view.outputs or {})

    async def _make_way(self, due: Due, schedule: ScheduleSpec) -> None:
        """See that it is still to be launched, and settle earlier ticks of the schedule of which it takes the place.

        Raises:
            ConflictError: It is not: the schedule was stopped, or another tick has taken its own place.

            _Waits: One that was launched has to end before.
        """
        if why := await self._do(Store.within, halted, due.plan):
            raise ConflictError(why)
        if schedule.overlap not in ("cancel_other", "terminate_other"):
            return
        place = f"has taken its place (overlap: {schedule.overlap})"
        if later := await self._do(Store.within, later_of, due):
            raise ConflictError(f"{later} {place}.")
        for other in await self._do(Store.within, waiting_before, due):
            if await self._was_launched(other):  # before a crash
                await self._do(Store.launched, other.execution)
            else:
                await self._do(Store.refused, other.execution, f"{due.cause} {place}.")
        if schedule.overlap == "cancel_other" and await self._do(Store.others, due):
            raise _Waits

    async def _abort(self, execution: str, by: str) -> None:
        try:
            await self._engine.abort(execution, f"{by} takes its place")
        except SetAside:
            raise
        except NotFound:
            return

    async def _taken(self, takes: dict[str, str], inputs: Any, cause: str) -> Literals:
        if not takes:
            return {}
        outputs = (await self._engine.closure(cause)).workflow.interface
        check_taken(takes, inputs, outputs, cause)
        view = await self._engine.describe(cause, nodes=False)
        return taken(takes, inputs, outputs, view.outputs or {})
