"""Follows the engine: keeps the history, and launches what triggers have decided on.

Whatever happens, nothing is lost and nothing doubled: a change is taken note of together with the cursor and with what follows
from it, and what follows is launched under a name worked out from why. A crash between the two launches it again under that name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wingbeat.base.errors import (
    ConflictError,
    EngineStopped,
    InputError,
    LimitReached,
    NotFound,
)
from wingbeat.contracts.engine import Engine, LaunchReply
from wingbeat.contracts.failpoints import hit
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.literal import Literals
from wingbeat.spec.triggers import ScheduleSpec
from wingbeat.types import ValueMismatch
from wingbeat_admin.local.due import Due
from wingbeat_admin.local.firing import check_taken, kickoff, taken
from wingbeat_admin.local.inputs import completed
from wingbeat_admin.local.store import Store

AGAIN_S = 0.5
AGAIN_S_MAX = 30.0
DUE_PAGE = 100
_DEFINITE = (ConflictError, InputError, LimitReached, NotFound, ValueMismatch)
"""Launching it again would end the same way."""

_log = logging.getLogger("wingbeat.admin")


class Follower:
    """Three tasks: one takes note of changes, one looks at the time, one launches what is due.

    Args:
        do: Does something with the file.

        run: Launches at the engine: `LocalAdmin.run`.
    """

    def __init__(
        self,
        engine: Engine,
        do: Callable[..., Awaitable[Any]],
        run: Callable[..., Awaitable[LaunchReply]],
        clock: Callable[[], float],
    ) -> None:
        self._engine, self._do, self._run, self._clock = engine, do, run, clock
        self.abreast = asyncio.Event()
        """Set once all that there was is in the history."""
        self.idle = asyncio.Event()
        """Set while nothing is due."""
        self._due, self._looked = asyncio.Event(), asyncio.Event()
        self._aborting: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._due.set()  # what was decided before
        self._tasks = [
            asyncio.create_task(self._again(self._note), name="admin history"),
            asyncio.create_task(self._again(self._tick), name="admin ticks"),
            asyncio.create_task(self._again(self._launch), name="admin launches"),
        ]

    def look(self) -> None:
        """Look at schedules now: something has changed."""
        self._looked.set()

    async def close(self) -> None:
        """Stop; what is due stays in the file."""
        tasks = [*self._tasks, *self._aborting]
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
        async for changes in self._engine.changes(await self._do(Store.cursor)):
            if not changes:
                self.abreast.set()
                continue
            hit("admin.change")
            if await self._do(Store.project, changes, self._clock()):
                self._decided()
            hit("admin.noted")

    async def _tick(self) -> None:
        while True:
            self._looked.clear()
            decided, again = await self._do(Store.look, self._clock())
            hit("admin.looked")
            if decided:
                self._decided()
            await _either(self._looked, None if again is None else again - self._clock())

    def _decided(self) -> None:
        self.idle.clear()
        self._due.set()

    async def _launch(self) -> None:
        while True:
            self._due.clear()
            now = self._clock()
            found: list[Due] = await self._do(Store.ready, now, DUE_PAGE)
            await asyncio.gather(*(self._launch_one(due) for due in found))
            if not found:
                if not self._due.is_set():  # else it was decided while we looked
                    self.idle.set()
                earliest = await self._do(Store.earliest, now)
                await _either(self._due, None if earliest is None else earliest - self._clock())

    async def _launch_one(self, due: Due) -> None:
        try:
            id = parse_identity(due.entity)
            definition = await self._do(Store.definition, id)
            assert definition.plan is not None
            trigger = definition.plan.trigger
            if isinstance(trigger, ScheduleSpec):
                assert due.tick is not None
                inputs = kickoff(trigger, due.tick)
                await self._make_way(due, trigger)
            else:
                assert trigger is not None
                inputs = await self._taken(trigger.inputs, definition.interface, due.cause)
            await self._run(id, definition, completed(definition, inputs, due.entity), due.execution, cause=due.cause)
        except _DEFINITE as error:
            _log.warning("%s cannot be launched for %s: %s", due.entity, due.cause, error)
            await self._do(Store.refused, due.execution, str(error))
        else:
            hit("admin.due-launched")
            await self._do(Store.launched, due.execution)

    async def _make_way(self, due: Due, schedule: ScheduleSpec) -> None:
        """Stop other executions of the schedule, where its overlap policy says so; wait for their end, or not."""
        if schedule.overlap not in ("cancel_other", "terminate_other"):
            return
        aborts = [self._abort(other, due) for other in await self._do(Store.others, due)]
        if schedule.overlap == "cancel_other":
            await asyncio.gather(*aborts)
        else:
            for abort in aborts:
                task = asyncio.create_task(abort, name="admin abort")
                self._aborting.add(task)
                task.add_done_callback(self._aborting.discard)

    async def _abort(self, execution: str, due: Due) -> None:
        with contextlib.suppress(NotFound):
            await self._engine.abort(execution, f"{due.execution} takes its place")

    async def _taken(self, takes: dict[str, str], inputs: Any, cause: str) -> Literals:
        if not takes:
            return {}
        outputs = (await self._engine.closure(cause)).workflow.interface
        check_taken(takes, inputs, outputs, cause)
        view = await self._engine.describe(cause, nodes=False)
        return taken(takes, inputs, outputs, view.outputs or {})


async def _either(event: asyncio.Event, seconds: float | None) -> None:
    """Return when something has happened, or some time has passed; after a while in any case, for clocks jump."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AGAIN_S_MAX if seconds is None else max(0.0, min(seconds, AGAIN_S_MAX))):
            await event.wait()
