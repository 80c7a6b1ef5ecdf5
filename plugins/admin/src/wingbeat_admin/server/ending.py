"""The end of a server: what would wait for long is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Ends(Protocol):
    """An end: an event of asyncio is one."""

    def is_set(self) -> bool:
        """Whether it has come."""

    async def wait(self) -> object:
        """Return when it has."""


async def before(end: Ends, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Items until there are no more, or until the end: the one that is waited for then does not come."""
    ended = asyncio.ensure_future(end.wait())
    try:
        while not end.is_set():
            following = asyncio.ensure_future(anext(items))
            try:
                await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
            if following.cancelled():
                return
            try:
                item = following.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        ended.cancel()
