"""What happened, told to observers and readers after it is durable. Every queue is bounded: who is too slow misses events
and can read them from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from wingbeat.contracts.observer import Observer, Published
from wingbeat.engine.live import Live

QUEUE_MAX = 1000
"""Batches that an observer or reader may be behind."""


class Feed:
    """Tells observers (of everything) and subscribers (of one execution)."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = [(observer, asyncio.Queue[list[Published]](QUEUE_MAX)) for observer in observers]
        self._tasks: list[asyncio.Task[None]] = []
        self.missed = 0
        self.failed = 0

    def start(self) -> None:
        """Begin to tell."""
        self._tasks = [asyncio.create_task(self._tell(o, q), name=f"observer {o!r}") for o, q in self._observers]

    async def close(self) -> None:
        """Stop telling."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def subscribe(self, live: Live) -> asyncio.Queue[list[Published]]:
        """A queue of what happens in an execution from now on; an empty list is its end."""
        queue: asyncio.Queue[list[Published]] = asyncio.Queue(QUEUE_MAX)
        live.subscribers.append(queue)
        return queue

    async def follow(
        self,
        live: Live,
        cursor: int,
        read: Callable[[str, int], Awaitable[list[Published]]],
        check_ended: Callable[[Live], None],
    ) -> AsyncGenerator[Published, None]:
        """What happened and happens in an execution behind `cursor`, until it has ended.

        Args:
            read: Gives what is in the journal behind a cursor.

            check_ended: Raises if the end that is told is not the execution's.
        """
        queue = self.subscribe(live)
        try:
            for event in await read(live.id, cursor):
                cursor = event.cursor
                yield event
            while True:
                batch = await queue.get()
                if not batch:
                    check_ended(live)
                if (batch[0].cursor if batch else live.cursor) > cursor + 1:  # a full queue has dropped some
                    batch = await read(live.id, cursor) or batch
                for event in batch:
                    if event.cursor > cursor:
                        cursor = event.cursor
                        yield event
                if cursor == live.cursor - 1 and live.ended.is_set():
                    check_ended(live)
                    return
                if not batch:
                    return
        finally:
            if queue in live.subscribers:
                live.subscribers.remove(queue)

    def wanted(self, live: Live) -> bool:
        """Whether anybody wants to know what happens in an execution."""
        return bool(self._observers or live.subscribers)

    def publish(self, live: Live, events: list[Published]) -> None:
        """Tell everybody who wants to know."""
        for _, queue in self._observers:
            self._put(queue, events)
        for queue in live.subscribers:
            self._put(queue, events)

    def end(self, live: Live) -> None:
        """There is nothing more to come."""
        for queue in live.subscribers:
            if queue.full():
                queue.get_nowait()
                self.missed += 1
            queue.put_nowait([])
        live.subscribers.clear()

    def _put(self, queue: asyncio.Queue[list[Published]], events: list[Published]) -> None:
        if queue.full():
            queue.get_nowait()
            self.missed += 1
        queue.put_nowait(events)

    async def _tell(self, observer: Observer, queue: asyncio.Queue[list[Published]]) -> None:
        while True:
            events = await queue.get()
            try:
                await observer.observe(events)
            except Exception:  # noqa: BLE001  # an observer that fails harms nobody else
                self.failed += 1
