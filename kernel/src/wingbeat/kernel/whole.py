"""What is opened or closed whole, also if whoever asked for it is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def opened(opening: Coroutine[Any, Any, None], close: Callable[[], Awaitable[None]]) -> None:
    """Open something, or else close it: if it fails on its way, or the caller is cancelled."""
    try:
        await whole(opening)
    except BaseException:
        await whole(_closed(close))
        raise


async def _closed(close: Callable[[], Awaitable[None]]) -> None:
    await close()


async def whole(work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]] | None = None) -> T:
    """Open or close something, to the end also if the caller is cancelled: what a database's thread answers must find its
    loop, and a thread that nobody ends keeps the process."""
    import asyncio

    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        if undo is not None and not doing.cancelled() and doing.exception() is None:
            await undo(doing.result())
        raise
