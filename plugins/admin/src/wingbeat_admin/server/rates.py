"""How often a key may ask: a bucket for each, which is full at first and fills evenly. In memory: a server that is started anew has
them full again."""

from __future__ import annotations

import time
from collections.abc import Callable

from wingbeat.base.errors import LimitReached

MINUTE_S = 60.0
BUCKETS_MAX = 4000
"""More than keys can be: those that are full again are let go of then."""


class Rates:
    """Buckets, by what they are of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[tuple[str, str], tuple[float, float]] = {}  # how much is in it, and since when

    def take(self, who: str, what: str, per_minute: int | None) -> None:
        """Take one out. Raises LimitReached where there is none."""
        if per_minute is None:
            return
        now = self._clock()
        left, since = self._left.get((who, what), (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / MINUTE_S)
        if left < 1.0:
            raise LimitReached(
                f"{who} may make {per_minute} {what} a minute, and has.",
                hint="Clients of ours wait for that by themselves, for a while.",
                retry_after_s=(1.0 - left) * MINUTE_S / per_minute,
            )
        self._left[who, what] = left - 1.0, now
        if len(self._left) > BUCKETS_MAX:
            self._left = {key: kept for key, kept in self._left.items() if now - kept[1] < MINUTE_S}
