"""Following what happens to executions, across all of them: by the numbers that the journal gives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from wingbeat.contracts.engine import Change
from wingbeat.engine.archive import Archive
from wingbeat.engine.together import Together

PAGE = 1000
LOOK_S = 2.0
"""Time between two looks while nobody tells that something has changed."""


class Changes:
    """Tells those who follow that there is something to be read.

    Args:
        check: Raises `EngineStopped` once the engine has stopped.
    """

    def __init__(self, archive: Archive, check: Callable[[], None]) -> None:
        self._check = check
        self._pages = Together[int, list[Change]](lambda after: archive.changes(after, PAGE))
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Something has changed, or the engine has stopped: those who follow look."""
        self._told.set()
        self._told = asyncio.Event()

    async def follow(self, after: int) -> AsyncIterator[list[Change]]:
        """See `wingbeat.contracts.engine.Engine.changes`."""
        said = False
        while True:
            self._check()
            told = self._told  # before the look: what comes behind it is told
            found = await self._pages.ask(after)
            if found:
                after, said = found[-1].number, False
                yield found
                if len(found) == PAGE:
                    continue
            if not said:
                said = True
                yield []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await told.wait()
