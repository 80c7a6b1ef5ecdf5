"""Whether a plugin is asked at all: one that fails again and again is left alone for a while, ever longer, and then tried once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from wingbeat.base.errors import WingbeatError
from wingbeat.calls import why, within

FAILURES_MAX = 5
"""How many different things may fail in a row. The same one as often as it likes: it may be to blame itself."""
PAUSE_S = 1.0
PAUSE_S_MAX = 60.0

_log = logging.getLogger("wingbeat.plugins")


class LeftAlone(WingbeatError):
    """A plugin is not asked for now."""


class Circuit:
    """One plugin's.

    Args:
        name: What it is, for messages: ``The catalog 'sqlite'``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._failed: set[Hashable] = set()
        self._why, self._pause, self._until = "", PAUSE_S, 0.0
        self._trying = False
        self._failures = 0

    @property
    def open(self) -> bool:
        """Whether it is left alone."""
        return len(self._failed) >= FAILURES_MAX

    @property
    def why(self) -> str:
        """For people: that it is left alone, and what failed last."""
        return f"{self.name} is left alone for a while, it failed again and again: {self._why}"

    @property
    def is_told(self) -> bool:
        """Whether the last failure is one to be told of: the first, second, fourth, …, as one that fails now and then is never
        left alone."""
        return self._failures & (self._failures - 1) == 0

    def rest_s(self) -> float:
        """For how long it is left alone, in seconds; 0 when it may be asked."""
        if not self._failed or not self.open:
            return 0.0
        return max(0.0, self._until - asyncio.get_running_loop().time()) or (PAUSE_S if self._trying else 0.0)

    @asynccontextmanager
    async def asked(self, what: Hashable, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Within this it is asked for `what`, and has `seconds` to answer. Raises LeftAlone where it is not to be asked, NoAnswer
        where it does not answer."""
        if self.rest_s():
            raise LeftAlone(f"{self.why}.")
        self._trying = True
        try:
            async with within(seconds) as limit:
                yield limit
        except (Exception, SystemExit) as error:
            self.failed(what, error)
            raise
        else:
            self.succeeded()
        finally:
            self._trying = False

    def succeeded(self) -> None:
        """It answered."""
        if self._failed:
            if self.open:
                _log.warning("%s answers again.", self.name)
            self._failed.clear()
            self._pause = PAUSE_S

    def failed(self, what: Hashable, error: BaseException) -> None:
        """It did not answer, or wrongly, when it was asked for `what`."""
        was_open = self.open
        self._why, self._failures = why(error), self._failures + 1
        self._failed.add(what)
        if not self.open:
            return
        if not was_open:
            _log.warning("%s", self.why)
        self._until = asyncio.get_running_loop().time() + self._pause
        self._pause = min(2 * self._pause, PAUSE_S_MAX)
