"""When the process that holds a home collects what is over. What that takes is imported when it is first done: it would be half the
start of most commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from wingbeat.contracts.retention import Collected
from wingbeat.kernel.settings import RetentionSettings

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin
    from wingbeat.engine.engine import LocalEngine
    from wingbeat.host.home import HomeFolder
    from wingbeat.host.registry import Registry
    from wingbeat.kernel.collecting import Collector

FIRST_S = 60.0
"""A kernel that stays open for so long collects what is over, if it is time."""


class Upkeep:
    """Of a home, for an engine of this process.

    Args:
        admin: The admin that this process has open, if it does.
    """

    def __init__(
        self, registry: Registry, home: HomeFolder, engine: LocalEngine, admin: Callable[[], Admin | None]
    ) -> None:
        self._parts = registry, home, engine, admin
        self._collector: Collector | None = None
        self._task: asyncio.Task[None] | None = None
        if home.settings("retention", RetentionSettings).every_hours:
            self._task = asyncio.create_task(self._go_on(), name="retention")

    def close(self) -> None:
        """Collect no more."""
        if self._task is not None:
            self._task.cancel()

    async def collect(self, dry: bool) -> Collected:
        """See `wingbeat.contracts.retention.Collecting.collect`."""
        return await self._made().collect(dry=dry)

    async def _go_on(self) -> None:
        await asyncio.sleep(FIRST_S)
        await self._made().keep_up()

    def _made(self) -> Collector:
        from wingbeat.kernel.collecting import collector_of

        if self._collector is None:
            self._collector = collector_of(*self._parts)
        return self._collector
