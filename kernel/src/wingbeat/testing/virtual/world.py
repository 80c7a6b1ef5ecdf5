"""What all actors of a virtual world share: the loop, the dice, the clock, the record of what happened, and what was found."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections import Counter, deque
from typing import Any, NoReturn

from wingbeat.testing.invariants import Broken
from wingbeat.testing.virtual.chance import Chance
from wingbeat.testing.virtual.loop import VirtualLoop

EPOCH = 1_800_000_000.0
LAST = 50
"""How many happenings are told when something is broken."""


class World:
    """One seed.

    Attributes:
        context: Of what belongs to no kernel.

        running: Attempts that run outside, by execution and node.

        unread: Executions that a kernel could not read, at some time.

        broken: The first promise that was not kept.

        last: What happened last, in words.
    """

    def __init__(self, seed: int, fired: Counter[str] | None = None) -> None:
        self.seed = seed
        self.fired: Counter[str] = Counter() if fired is None else fired
        self.chance = Chance(seed, self.fired)
        self.loop = VirtualLoop(self.chance.rng("loop"), shuffled=self.chance.shuffled)
        self.clock = SimClock(self)
        self.context = contextvars.copy_context()
        self.running: dict[tuple[str, str], str] = {}
        self.unread: set[str] = set()
        self.broken: Broken | None = None
        self.last: deque[tuple[float, str, str]] = deque(maxlen=LAST)
        self._trace = hashlib.blake2b(digest_size=8)

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.chance.calm

    def note(self, who: str, what: str) -> None:
        """Something happened."""
        self.last.append((self.loop.now, who, what))
        self._trace.update(f"{self.loop.now:.6f} {who} {what}\n".encode())

    def trace(self) -> str:
        """A digest of all that happened."""
        return self._trace.hexdigest()

    def fail(self, name: str, what: str) -> None:
        """A promise was not kept: the world ends. Whoever finds it need not stop; nobody could catch it."""
        if self.broken is None:
            self.broken = Broken(f"{name}: {what}")
            self.note("check", f"BROKEN {name}: {what}")
            self.loop.stop()

    def check(self, holds: bool, name: str, what: str) -> None:
        """A promise of that name is kept."""
        if not holds:
            self.fail(name, what)

    async def pause(self, who: str, mean_s: float) -> None:
        """Take a while."""
        await asyncio.sleep(self.chance.rng(who).expovariate(1 / mean_s))

    async def never(self) -> NoReturn:
        """Wait for the end of the world: a process that is dead goes no further."""
        await self.loop.create_future()
        raise AssertionError


class SimClock:
    """A `wingbeat.engine.clock.Clock` whose wall time may be set."""

    def __init__(self, world: World) -> None:
        self._world, self._offset, self._latest = world, EPOCH, EPOCH
        self._rng = world.chance.rng("entropy")

    def now(self) -> float:
        """Epoch seconds."""
        return self._offset + self._world.loop.now

    def entropy(self) -> bytes:
        """Sixteen bytes out of the seed."""
        return self._rng.randbytes(16)

    @property
    def ahead(self) -> float:
        """By how much it was set ahead, all in all."""
        return self._offset - EPOCH

    @property
    def latest(self) -> float:
        """The latest that it has ever been."""
        return max(self._latest, self.now())

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._latest = self.latest
        self._offset += seconds
        self._world.note("clock", f"jumps by {seconds:g} s")


def shown(value: Any, most: int = 160) -> str:
    """A value in a line."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
