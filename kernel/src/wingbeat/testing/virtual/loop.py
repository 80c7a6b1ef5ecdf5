"""An event loop without time, threads or descriptors, whose order of callbacks is drawn from a seed.

A callback belongs to the process in whose context it was made. A process can be held, and ended at any callback, without a
word to what ran in it: as SIGSTOP and SIGKILL do.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

THREAD_S_MAX = 0.05
TURN_S = 1e-6
BURY_ROUNDS_MAX = 100


TURNS_MAX = 400_000
"""A world is over long before."""


class Deadlock(RuntimeError):
    """Nothing is ready, and nothing ever will be; or something always is, and nothing comes of it."""


class Process:
    """What owns callbacks.

    Attributes:
        held: Callbacks that wait until it goes on; None while it runs.

        lost: Callbacks that came too late. They are kept for the end, as tasks are.

        fuse: After how many callbacks `burn` is called instead of the next; -1 for never.

        tasks: All that it ever started. Nobody else may let go of them: a task that is collected runs its last blocks.
    """

    def __init__(self, name: str, burn: Callable[[], None]) -> None:
        self.name, self.burn = name, burn
        self.dead = False
        self.held: list[asyncio.Handle] | None = None
        self.fuse = -1
        self.tasks: list[asyncio.Task[Any]] = []
        self.lost: list[asyncio.Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(_PROCESS.set, self)

    def left(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended."""
        return [task for task in self.tasks if not task.done()]


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class _Task(asyncio.Task[T]):
    """A task whose place in a set is the same in every run."""

    def __init__(self, number: int, *args: Any, **options: Any) -> None:
        self.number = number
        super().__init__(*args, **options)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. `shuffled`: callbacks that are ready together run in any order, as nothing promises another."""

    def __init__(self, rng: random.Random, *, shuffled: bool = True) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0
        self._most = TURNS_MAX
        self._rng, self._shuffled = rng, shuffled
        self._soon: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._busy: dict[Any, float] = {}

    def time(self) -> float:
        """Seconds since it was made."""
        return self.now

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        """At the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As `call_soon`: there are no threads."""
        return self.call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """When it is `when`."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """In `delay` seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: object = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        """Begin at the next turn."""
        self._numbers += 1
        task: _Task[T] = _Task(self._numbers, coro, loop=self, name="task", context=context)
        owner = _PROCESS.get() if context is None else context.get(_PROCESS)
        (self._tasks if owner is None else owner.tasks).append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """As if in a thread: done after a while, in one step. What an executor with one thread is given is done in that order."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001  # whoever waits is told
                future.set_exception(error)

        at = self.now + self._rng.random() * THREAD_S_MAX
        if getattr(executor, "_max_workers", None) == 1:
            at = self._busy[executor] = max(at, self._busy.get(executor, 0.0) + TURN_S)
        self.call_at(at, work)
        return future

    def _run_once(self) -> None:
        timers, ready = self._timers, self._soon
        self.turns += 1
        if self.turns > self._most:
            raise Deadlock(f"It goes on and on: {TURNS_MAX:,} turns of the loop.")
        if not ready:
            while timers and timers[0][2].cancelled():
                heapq.heappop(timers)
            if not timers:
                raise Deadlock("Nothing is ready, and nothing ever will be.")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            timer = heapq.heappop(timers)[2]
            if not timer.cancelled():
                ready.append(timer)
        self._soon = []
        if self._shuffled and len(ready) > 1:
            self._rng.shuffle(ready)
        for handle in ready:
            self._run_one(handle)

    def _run_one(self, handle: asyncio.Handle) -> None:
        if handle.cancelled():
            return
        owner = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001  # a handle has no public side
        if owner is not None:
            if owner.fuse >= 0 and not owner.dead and owner.held is None:
                owner.fuse -= 1
                if owner.fuse < 0:
                    owner.burn()
            if owner.dead:
                owner.lost.append(handle)
                return
            if owner.held is not None:
                owner.held.append(handle)
                return
        handle._run()  # noqa: SLF001  # as above

    def hold(self, process: Process) -> None:
        """Stop a process where it is."""
        if process.held is None:
            process.held = []

    def thaw(self, process: Process) -> None:
        """Let a process go on, not knowing that time has passed."""
        held, process.held = process.held, None
        self._soon += held or []

    def kill(self, process: Process) -> None:
        """End a process; nothing of it runs any more."""
        process.lost += process.held or []
        process.dead, process.held = True, None

    def bury(self, processes: list[Process]) -> None:
        """Let what is left of tasks end, so that nothing is said when they are collected. The last thing that is done."""
        rounds = 0
        self._most = self.turns + TURNS_MAX
        self.set_exception_handler(lambda loop, context: None)
        for process in processes:
            self._soon += process.lost + (process.held or [])
            process.dead, process.held, process.fuse = False, None, -1

        def all_tasks() -> list[asyncio.Task[Any]]:  # some begin others when they are cancelled
            return [*self._tasks, *(task for process in processes for task in process.tasks)]

        asyncio._set_running_loop(self)  # noqa: SLF001  # documented, for those who write a loop
        try:
            while left := [task for task in all_tasks() if not task.done()]:
                rounds += 1
                assert rounds < BURY_ROUNDS_MAX, f"these do not end: {left}"
                for task in left:
                    task.cancel()
                while self._soon:
                    self._run_once()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001  # as above
        for task in all_tasks():
            if not task.cancelled():
                task.exception()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when it is due."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""
