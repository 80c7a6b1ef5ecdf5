"""Calls of plugins that take too long or are cancelled: waited for as long as they may take, and then left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """As `asyncio.timeout`, for a call of a plugin: one that cancels itself has failed, and does not end who has called.

    Raises:
        RuntimeError: The call has cancelled itself.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("it has cancelled the call itself") from error


async def let_go(tasks: Collection[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Cancel tasks, and wait until they have ended.

    Those that have not after `seconds` are given back, and left behind: whoever ends the loop does not wait for them either, as
    `asyncio.run` would for ever.
    """
    for task in tasks:
        task.cancel()
    if not tasks:
        return set()
    try:
        return (await asyncio.wait(tasks, timeout=seconds))[1]
    finally:
        for task in tasks:
            if not task.done():
                asyncio._unregister_task(task)  # noqa: SLF001  # documented, for those who extend asyncio
