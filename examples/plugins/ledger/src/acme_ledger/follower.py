"""Follows the engine and the clock, and launches what triggers decide."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from acme_ledger.book import Book, Due
from acme_ledger.files import Ledger
from acme_ledger.inputs import check_taken, filled, of_tick, taken
from wingbeat.base.errors import ConflictError, EngineStopped, InputError, LimitReached, NotFound
from wingbeat.contracts.admin import Definition
from wingbeat.contracts.engine import Change, Engine, LaunchReply
from wingbeat.spec.identity import Identity, parse_identity
from wingbeat.spec.literal import Literals
from wingbeat.spec.triggers import OnEndSpec, ScheduleSpec
from wingbeat.types import ValueMismatch

AGAIN_S, AGAIN_S_MAX = 0.5, 30.0
_DEFINITE = (ConflictError, InputError, LimitReached, NotFound, ValueMismatch)
"""Launching it again would end the same way."""

_log = logging.getLogger("acme_ledger")


class Follower:
    """Two tasks: one takes note of changes, one looks at the time and launches.

    Args:
        do: Does something with the ledger, in its thread.

        run: Launches at the engine.
    """

    def __init__(
        self, engine: Engine, do: Callable[..., Awaitable[Any]], run: Callable[..., Awaitable[LaunchReply]]
    ) -> None:
        self._engine, self._do, self._run = engine, do, run
        self.abreast = asyncio.Event()
        """Set once all that there was is noted."""
        self.idle = asyncio.Event()
        """Set while nothing is due."""
        self._looked = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin."""
        self._begin(self._again(self._note))
        self._begin(self._again(self._launch))

    def look(self) -> None:
        """Look at once: something has changed."""
        self.idle.clear()
        self._looked.set()

    async def close(self) -> None:
        """Stop. What is due stays in the book."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work, name="ledger")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever: what fails is tried again, ever later."""
        pause = AGAIN_S
        while True:
            began = time.monotonic()
            try:
                await work()
            except EngineStopped:
                return
            except Exception as error:  # noqa: BLE001  # nobody else would go on with it
                _log.warning("It is tried again in %g s: %s: %s", pause, type(error).__name__, error)
            pause = AGAIN_S if time.monotonic() - began > AGAIN_S_MAX else min(2 * pause, AGAIN_S_MAX)
            await asyncio.sleep(pause)

    async def _note(self) -> None:
        """Take note of changes: what follows from them is in the book with their number, or they are told again."""
        async for changes in self._engine.changes((await self._do(_book)).cursor):
            if not changes:
                self.abreast.set()
            elif await self._do(_noted, changes, time.time()):
                self.look()

    async def _launch(self) -> None:
        while True:
            self._looked.clear()
            book: Book = await self._do(_looked, time.time())
            ready = book.ready(time.time())
            await asyncio.gather(*(self._launch_one(execution, due) for execution, due in ready.items()))
            if ready:
                continue
            if not self._looked.is_set():  # else something has changed while we looked
                self.idle.set()
            wake = book.wake()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wake is None else max(wake - time.time(), 0.01)):
                    await self._looked.wait()

    async def _launch_one(self, execution: str, due: Due) -> None:
        try:
            id = parse_identity(due.entity)
            definition = await self._do(Ledger.definition, id)
            inputs = filled(definition, await self._given(id, definition, execution, due), due.entity)
            await self._run(id, definition, inputs, execution, cause=due.cause)
        except _DEFINITE as error:
            _log.warning("%s is not launched for %s: %s", due.entity, due.cause, error)
            await self._do(_changed, lambda book: book.without(execution))
        else:
            await self._do(_changed, lambda book: book.launched(execution))

    async def _given(self, id: Identity, definition: Definition, execution: str, due: Due) -> Literals:
        """What the trigger gives; others of its schedule make way, where it says so."""
        trigger = None if definition.plan is None else definition.plan.trigger
        if isinstance(trigger, ScheduleSpec) and due.tick is not None:
            if trigger.overlap in ("cancel_other", "terminate_other"):
                book = await self._do(_book)
                aborts = [self._abort(other, execution) for other in book.before(execution)]
                if trigger.overlap == "cancel_other":
                    await asyncio.gather(*aborts)
                else:
                    for abort in aborts:
                        self._begin(abort)
            return of_tick(trigger, due.tick)
        if not isinstance(trigger, OnEndSpec) or not trigger.inputs:
            return {}
        outputs = (await self._engine.closure(due.cause)).workflow.interface
        check_taken(trigger.inputs, definition.interface, outputs, due.cause)
        view = await self._engine.describe(due.cause, nodes=False)
        return taken(trigger.inputs, definition.interface, outputs, view.outputs or {})

    async def _abort(self, other: str, execution: str) -> None:
        with contextlib.suppress(NotFound, EngineStopped):
            await self._engine.abort(other, f"{execution} takes its place")


def _book(ledger: Ledger) -> Book:
    return ledger.book


def _noted(ledger: Ledger, changes: list[Change], at: float) -> bool:
    before = ledger.book
    ledger.write(before.noted(changes, ledger.triggers(), at))
    return ledger.book.due != before.due


def _looked(ledger: Ledger, now: float) -> Book:
    ledger.write(ledger.book.looked(ledger.triggers(), now))
    return ledger.book


def _changed(ledger: Ledger, change: Callable[[Book], Book]) -> None:
    ledger.write(change(ledger.book))
