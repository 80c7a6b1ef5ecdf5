"""Attempts whose process this kernel cannot ask about: watched by the lock on their claim, cleaned up after by hand."""

from __future__ import annotations

import asyncio
import os

from wingbeat.runtime import claim
from wingbeat.runtime.reap import kill_leftovers

POLL_S = 0.02
UNLOCK_S = 5.0


async def until_gone(owner: claim.Claim, directory: str, attempt: str) -> None:
    """Return when the process that claimed the attempt is dead, and nothing that it left runs any more."""
    if not await _watch_process(owner):
        while claim.held(directory):
            await asyncio.sleep(POLL_S)
    if not owner.pid:  # read before the forked process had said who it is
        owner = claim.read(directory) or owner
    await asyncio.to_thread(kill_leftovers, owner, attempt)
    loop = asyncio.get_running_loop()
    end = loop.time() + UNLOCK_S
    while claim.held(directory) and loop.time() < end:
        await asyncio.sleep(POLL_S)


async def _watch_process(owner: claim.Claim) -> bool:
    """Wait for the end of the process; False where the system cannot tell which one it is."""
    if not hasattr(os, "pidfd_open") or not owner.start:
        return False
    try:
        fd = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    try:
        # Checked after opening: now the descriptor means this process, whoever has its number later.
        if claim.start_time(owner.pid) != owner.start:
            return True
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(fd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(fd)
    finally:
        os.close(fd)
    return True
