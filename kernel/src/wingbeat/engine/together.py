"""Looking once for all who ask the same at about the same time: a thousand readers of one execution are one look at the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Together(Generic[K, T]):
    """Asks `look` for those who ask. An answer is of a look that began when it was asked for, or later, so it has all that was
    there then: who comes while one is under way waits for the next, which is one for all of them.

    Args:
        look: Answers by a key. What it raises, all who have asked for that raise.
    """

    def __init__(self, look: Callable[[K], Awaitable[T]]) -> None:
        self._look = look
        self._turns: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()
        self._next: dict[K, asyncio.Task[T]] = {}

    async def ask(self, key: K) -> T:
        """What the look gives. Who is cancelled does not take it from the others."""
        looking = self._next.get(key)
        if looking is None:
            looking = self._next[key] = asyncio.create_task(self._turn(key))
            looking.add_done_callback(_noticed)
        return await asyncio.shield(looking)

    async def _turn(self, key: K) -> T:
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        async with turn:
            self._next.pop(key, None)  # whoever asks from here on may know of something that this look misses
            return await self._look(key)


def _noticed(looking: asyncio.Task[object]) -> None:
    """Nobody may be left to hear of its error."""
    if not looking.cancelled():
        looking.exception()
