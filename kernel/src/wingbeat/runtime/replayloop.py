"""An event loop without a world: no descriptors, no threads, and a clock that is told what time it is.

What runs in it is decided by what it is told, in order, so the same telling gives the same run. asyncio's tasks, gather,
TaskGroup, timeout and sleep work in it as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

TURNS_MAX = 1_000_000
"""How often what is in the loop may go round without being told anything: some seconds."""


class ReplayLoop(asyncio.BaseEventLoop):
    """A loop whose `idle` is called when nothing can run any more.

    Args:
        now: Where its clock begins.

        idle: Called with the time of the earliest timer (None if there is none). Makes something ready, or raises, which ends
            the run.

        spins: Called when what runs has gone round `TURNS_MAX` times and was told nothing meanwhile. Raises.
    """

    def __init__(self, now: float, idle: Callable[[float | None], None], spins: Callable[[], NoReturn]) -> None:
        super().__init__()
        self.now = now
        self._idle, self._spins = idle, spins
        self._turns = 0
        self._error: BaseException | None = None
        self._selector = self  # what `BaseEventLoop` asks for events when it has nothing to do
        self._clock_resolution = 1e-6  # more than the gap between two times, or one that comes due just now never would

    def time(self) -> float:
        """What it was told last."""
        return self.now

    def end(self, error: BaseException) -> None:
        """Have the run end with this, whatever what runs in it would do about it."""
        self._error = self._error or error

    def check(self) -> None:
        """Raise what the run is to end with."""
        if self._error is not None:
            raise self._error

    def select(self, timeout: float | None) -> list[Any]:
        """As a selector: nothing ever happens by itself."""
        self.check()
        if timeout is None or timeout > 0:
            self._turns = 0
            self._idle(None if timeout is None else self.now + timeout)
        elif (turns := self._turns + 1) > TURNS_MAX:
            self._spins()
        else:
            self._turns = turns
        return []

    def going_on(self) -> Iterator[asyncio.Task[Any]]:
        """The tasks that run next."""
        for handle in self._ready:  # type: ignore[attr-defined]  # as `_selector`: what `BaseEventLoop` keeps
            task = getattr(handle._callback, "__self__", None)  # noqa: SLF001
            if isinstance(task, asyncio.Task):
                yield task

    def advance(self, at: float) -> None:
        """It is `at` now; the clock never goes back."""
        self.now = max(self.now, at)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: how long a thread takes cannot be replayed."""
        raise RuntimeError("The body of a dynamic workflow starts no threads; what takes time belongs into a task.")
