"""Which results of an execution cannot be taken over, as what they refer to in storage is gone or damaged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

from wingbeat.contracts.storage import Storage
from wingbeat.engine.content import stored
from wingbeat.engine.reuse import results
from wingbeat.machine.step import Machine
from wingbeat.runtime.threads import in_thread
from wingbeat.types import Blob

LOOKED_AT_MAX = 100_000
"""So many values are looked at, the first ones: a recovery of a million files does not wait for each."""
VERIFY_S_MAX = 60.0


async def lost(old: Machine, storage: Storage) -> dict[int, str]:
    """The results of `old` whose content is not there: by the address of the node or item, what is wrong with it.

    A storage that fails, or takes too long, is not asked for more.
    """
    found: dict[int, str] = {}
    try:
        for address, blob in islice(_blobs(old), LOOKED_AT_MAX):
            if address not in found:
                async with asyncio.timeout(VERIFY_S_MAX):
                    damage = await in_thread(storage.verify, blob)
                if damage is not None:
                    found[address] = damage
    except (Exception, SystemExit):  # noqa: BLE001  # a plugin may raise anything; who consumes the value tells of it
        return found
    return found


def _blobs(old: Machine) -> Iterator[tuple[int, Blob]]:
    for address, outputs in results(old):
        task = old.graph.task(address)
        if task is not None:
            for blob in stored(task, outputs):
                yield address, blob
