"""Stored values that the machine needs to decide: the lists of a map, the operands of a branch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from wingbeat.base.errors import WingbeatError
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.storage import Storage
from wingbeat.engine.background import Broke, watched
from wingbeat.engine.clock import Clock
from wingbeat.engine.live import Live
from wingbeat.machine.event import Event, Loaded
from wingbeat.runtime.storageio import StorageIO
from wingbeat.runtime.threads import in_thread
from wingbeat.spec.literal import Inline, LiteralList
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.whole import materialise


class Unreadable(WingbeatError):
    """A stored value that a machine needs to go on cannot be read now."""


class Loading:
    """Reads values from storage, in threads, and posts them."""

    def __init__(self, storage: Storage, clock: Clock, post: Callable[[Live, Event], None], broke: Broke) -> None:
        self._io, self._clock, self._post, self._broke = StorageIO(storage, ""), clock, post, broke
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, live: Live, node: int) -> None:
        """Read what a node needs; the answer is posted."""
        task = asyncio.create_task(self._load(live, node))
        self._tasks.add(task)
        watched(task, live, self._broke).add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def event(self, live: Live, node: int) -> Loaded:
        """What a node needs, as the event that tells it."""
        try:
            values = await in_thread(self._values, live, node)
        except Exception as error:  # noqa: BLE001  # storage may raise anything
            failed = ErrorInfo(
                "InputLost", f"An input cannot be read: {type(error).__name__}: {error}", retryable=False
            )
            return Loaded(self._clock.now(), node, {}, failed)
        return Loaded(self._clock.now(), node, values)

    async def lists(self, live: Live, *, ended: bool = False) -> None:
        """Read what maps go over, which a machine that was put together again does not have. Raises Unreadable.

        With `ended`, of all maps, as far as it can be read.
        """
        for node in live.machine.unread(ended=ended):
            loaded = await self.event(live, node)
            if loaded.error is None:
                live.machine.loaded[node] = loaded.values
            elif not ended:
                raise Unreadable(f"{live.node_id(node)}: {loaded.error.message}")

    async def _load(self, live: Live, node: int) -> None:
        hit("load.before")
        event = await self.event(live, node)
        hit("load.after")
        self._post(live, event)

    def _values(self, live: Live, node: int) -> dict[str, Any]:
        return {
            name: materialise(literal, self._io.read)
            for name, literal in live.machine.values(node).items()
            if not isinstance(literal, Inline | LiteralList)
        }
