"""Has the quotas of places hold also for what waits: what is said of a place may change, and the engine may have started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from wingbeat.contracts.engine import Adjusting
from wingbeat_admin.local import quotas
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.waiting import either


async def hold(engine: Adjusting, do: Callable[..., Awaitable[Any]], said: asyncio.Event) -> None:
    """Tell the engine, for ever, what holds where executions wait: when `said` is set, and every now and then: a launch that was
    under way when it changed has brought what held before. Nothing has to be kept for that, so a crash loses nothing.

    Args:
        do: Does something with the file.
    """
    while True:
        said.clear()
        waited_for = {name: limit for name, limit in (await engine.quotas_waited_for()).items() if name.count("/") == 1}
        if waited_for:
            holds: dict[str, int | None] = await do(Store.within, quotas.executions_of, list(waited_for))
            changed = {name: limit for name, limit in holds.items() if limit != waited_for[name]}
            if changed:
                await engine.change_quotas(changed)
        await either(said, None)
