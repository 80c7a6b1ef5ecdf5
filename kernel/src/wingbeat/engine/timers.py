"""Timers of all executions: one heap, one handle in the event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from wingbeat.contracts.failpoints import hit
from wingbeat.engine.clock import Clock
from wingbeat.machine.effect import SetTimer

SLEEP_S_MAX = 60.0
"""Longest sleep; the wall clock may be set meanwhile."""


class Timers:
    """Calls `fire(execution, timer)` when a timer is due. A timer that is no longer wanted fires and is ignored."""

    def __init__(self, clock: Clock, fire: Callable[[str, SetTimer], None]) -> None:
        self._clock, self._fire = clock, fire
        self._heap: list[tuple[float, int, str, SetTimer]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._count = 0

    def add(self, execution: str, timer: SetTimer) -> None:
        """Set a timer; one that is due already fires at the next turn of the loop."""
        self._count += 1
        heapq.heappush(self._heap, (timer.due, self._count, execution, timer))
        if self._heap[0][1] == self._count:
            self._schedule()

    def close(self) -> None:
        """Forget all timers."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        delay = min(max(self._heap[0][0] - self._clock.now(), 0.0), SLEEP_S_MAX)
        self._handle = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._clock.now()
        try:
            while self._heap and self._heap[0][0] <= now:
                hit("timer.due")
                _, _, execution, timer = heapq.heappop(self._heap)
                self._fire(execution, timer)
        finally:
            if self._heap:
                self._schedule()
