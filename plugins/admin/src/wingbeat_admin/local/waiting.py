"""Waiting for something, or for a time."""

from __future__ import annotations

import asyncio
import contextlib

WAIT_S_MAX = 30.0


async def either(event: asyncio.Event, seconds: float | None) -> None:
    """Return when something has happened, or some time has passed; after a while in any case, for clocks jump."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S_MAX if seconds is None else max(0.0, min(seconds, WAIT_S_MAX))):
            await event.wait()
