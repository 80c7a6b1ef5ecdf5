"""An event loop without a world: no descriptors, no threads, and a clock that is told what time it is.

What runs in it is decided by what it is told, in order, so the same telling gives the same run. asyncio's tasks, gather,
TaskGroup, timeout and sleep work in it as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn


class ReplayLoop(asyncio.BaseEventLoop):
    """A loop whose `idle` is called when nothing can run any more.

    Args:
        now: Where its clock begins.

        idle: Called with the time of the earliest timer (None if there is none). Makes something ready, or raises, which ends
            the run.
    """

    def __init__(self, now: float, idle: Callable[[float | None], None]) -> None:
        super().__init__()
        self.now = now
        self._idle = idle
        self._selector = self  # what `BaseEventLoop` asks for events when it has nothing to do
        self._clock_resolution = 0.0

    def time(self) -> float:
        """What it was told last."""
        return self.now

    def select(self, timeout: float | None) -> list[Any]:
        """As a selector: nothing ever happens by itself."""
        if timeout is None or timeout > 0:
            self._idle(None if timeout is None else self.now + timeout)
        return []

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
