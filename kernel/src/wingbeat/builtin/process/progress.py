"""How far attempts are: their reports, looked at while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wingbeat.contracts.executor import Progress
from wingbeat.runtime import report

LOOK_S = 0.2
"""Time between two looks; a look costs a system call for each attempt that runs and reports nothing."""


class Watch:
    """Looks into the reports of attempts that run.

    Args:
        tell: Told when one has changed.
    """

    def __init__(self, tell: Callable[[str, Progress], None]) -> None:
        self._tell = tell
        self._directories: dict[str, str] = {}
        self._told: dict[str, Progress] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, attempt: str, directory: str) -> None:
        """Look into this one from now on."""
        self._directories[attempt] = directory
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def remove(self, attempt: str) -> None:
        """It has ended."""
        self._directories.pop(attempt, None)
        self._told.pop(attempt, None)

    def close(self) -> None:
        """Look no more."""
        self._directories.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        for attempt, directory in self._directories.items():
            found = report.read(directory)
            if found is None:
                continue
            progress = report.progress_of(found, directory)
            if progress != self._told.get(attempt):
                self._told[attempt] = progress
                self._tell(attempt, progress)
        if self._directories:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
