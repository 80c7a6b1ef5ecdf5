"""Server-sent events: many who follow are told together what has come, so that they do not take the loop from the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import msgspec
from litestar.response import Stream

from wingbeat_admin.server.ending import Ends

T = TypeVar("T")

SHARE_S = 0.001
"""For each stream that is open, so much time passes before one that was told something is told more: of a thousand, each hears once
a second, all together take a small part of the loop, and one that is alone waits for nothing."""
PACE_S_MAX = 2.0
GROUPS = 8
"""Those of a group are told at the same time, so that they have come equally far: what they are told is read and written once."""
ITEMS_MAX = 1000
"""So much is kept for a stream; what comes then, the engine keeps, and reads again what it could not."""
MEDIA_TYPE = "text/event-stream"
_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of a stream, as the document describes it: its data is a text, mostly JSON."""

    data: str
    event: str = ""
    id: str = ""


class Pace:
    """When streams are told something again."""

    def __init__(self) -> None:
        self._open, self._opened = 0, 0
        self._written: tuple[object, bytes] = (None, b"")

    @contextlib.contextmanager
    def stream(self) -> Iterator[int]:
        """One more is open; its group."""
        self._open += 1
        self._opened += 1
        try:
            yield self._opened % GROUPS
        finally:
            self._open -= 1

    def until_next(self, group: int, now: float) -> float:
        """Seconds from `now` to when a group is told something again."""
        offset = self.seconds * group / GROUPS
        return self.seconds - (now - offset) % self.seconds

    def written(self, items: list[Any]) -> bytes:
        """Items as JSON: for those who are told the very same, once."""
        if self._written[0] is not items:
            self._written = (items, msgspec.json.encode(items))
        return self._written[1]

    @property
    def seconds(self) -> float:
        """So long, with as many as are open now."""
        return min(PACE_S_MAX, self._open * SHARE_S)


class _Inlet(list[T]):
    """What has come from an iterator and was not taken yet. It is asked for more only while that is wanted."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        super().__init__()
        self._wanted = asyncio.Event()
        self.came = asyncio.Event()
        """Something has, or nothing more does."""
        self.task = asyncio.create_task(self._run(items))
        self.task.add_done_callback(self._ended)

    def take(self) -> list[T]:
        """All of it. Nothing more is asked for until `want`."""
        taken = list(self)
        self.clear()
        self.came.clear()
        self._wanted.clear()
        return taken

    def want(self) -> None:
        """Go on."""
        self._wanted.set()

    async def _run(self, items: AsyncIterator[T]) -> None:
        try:
            async for item in items:
                self.append(item)
                self.came.set()
                if len(self) >= ITEMS_MAX:
                    self._wanted.clear()
                await self._wanted.wait()
        finally:
            if (close := getattr(items, "aclose", None)) is not None:
                await close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.came.set()
        if not task.cancelled():
            task.exception()  # whoever reads may have gone


async def paced(end: Ends, items: AsyncIterator[T], pace: Pace) -> AsyncIterator[list[T]]:
    """Items until there are no more, or until the end; those that have come since the last time, together."""
    loop = asyncio.get_running_loop()
    inlet, ended = _Inlet(items), asyncio.ensure_future(end.wait())
    inlet.want()
    try:
        with pace.stream() as group:
            while True:
                coming = asyncio.ensure_future(inlet.came.wait())
                await asyncio.wait({coming, ended}, return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
                if end.is_set():
                    return
                if taken := inlet.take():
                    yield taken
                if inlet.task.done():
                    if inlet:
                        yield inlet.take()
                    await inlet.task
                    return
                await asyncio.wait({ended}, timeout=pace.until_next(group, loop.time()))
                inlet.want()
    finally:
        inlet.task.cancel()
        ended.cancel()


def message(data: bytes, *, id: int | None = None, event: str = "") -> bytes:
    """One event as it is sent. `data` is of one line, as JSON is."""
    head = (f"id: {id}\r\n" if id is not None else "") + (f"event: {event}\r\n" if event else "")
    return b"%bdata: %b\r\n\r\n" % (head.encode(), data)


def stream(messages: AsyncIterator[bytes]) -> Stream:
    """What a route answers with."""
    return Stream(messages, media_type=MEDIA_TYPE, headers=_HEADERS)
