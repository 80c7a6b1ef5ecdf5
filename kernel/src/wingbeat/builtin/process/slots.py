"""Slots: how many attempts run at once, first come, first served."""

from __future__ import annotations

import asyncio
import math
from collections import deque


class Slots:
    """A number of slots. Whoever asks for many is not overtaken by those who ask for few."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def wanted(self, cpu: float | None) -> int:
        """How many slots a task with `cpu` cores takes."""
        return min(self.total, max(1, math.ceil(cpu or 1)))

    def try_acquire(self, count: int) -> bool:
        """Take slots if they are free and nobody waits."""
        if self._waiting or self._used + count > self.total:
            return False
        self._used += count
        return True

    async def acquire(self, count: int) -> None:
        """Wait for slots and take them."""
        if self.try_acquire(count):
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((count, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._grant()
            else:
                self.release(count)
            raise

    def take(self, count: int) -> None:
        """Count slots of an attempt that runs already, also over the total."""
        self._used += count

    def release(self, count: int) -> None:
        """Give slots back."""
        self._used -= count
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            count, future = self._waiting[0]
            if not future.cancelled():
                if self._used + count > self.total:
                    return
                self._used += count
                future.set_result(None)
            self._waiting.popleft()
