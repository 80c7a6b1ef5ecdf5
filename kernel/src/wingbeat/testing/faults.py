"""The kinds of fault that a simulated world has: what they do, and how often they may strike.

Each seed turns a random half of them off (swarm testing), so that rare combinations come up, and draws the rates of the rest.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

KINDS: dict[str, float] = {
    # the kernel and its journal
    "crash before the commit": 0.03,
    "crash behind the commit": 0.03,
    "crash between two effects": 0.03,
    "the commit's answer is lost": 0.02,
    "the commit is lost": 0.02,
    "the disk is full": 0.03,
    "the snapshot is lost": 0.3,
    "the snapshot is an older one": 0.3,
    "a kernel is paused": 0.03,
    "the clock jumps ahead": 0.01,
    "the clock goes back": 0.01,
    # executors
    "a user error": 0.15,
    "an error that is not retried": 0.05,
    "out of memory": 0.04,
    "an attempt is lost": 0.12,
    "an attempt is stopped by others": 0.05,
    "an executor does not take an attempt": 0.04,
    "a cancelled attempt ends by itself": 0.2,
    "an end is reported twice": 0.3,
    "a report comes late": 0.05,
    "a foreign report": 0.03,
    # the catalog and storage
    "a lookup fails": 0.15,
    "somebody else computes the same": 0.15,
    "a publication fails": 0.2,
    "a stored value is gone": 0.1,
    # child executions
    "a child fails": 0.2,
    "a child is aborted by others": 0.1,
    # people
    "somebody aborts": 0.003,
    "somebody rejects": 0.3,
    "an answer comes twice": 0.3,
    "an answer comes early": 0.01,
}
"""By kind, the chance that it strikes when it can."""
_NUMBERS = {kind: number for number, kind in enumerate((*KINDS, "faults", "schedule", "turn"))}


def number_of(seed: int, use: str) -> int:
    """What dice of a world are seeded with. A number: to seed with a text is several times as dear, and a world has many."""
    return seed << 8 | _NUMBERS[use]


class Dice(random.Random):
    """Draws what `random.Random` draws; a choice, of which a world makes a hundred, in one step instead of two."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """One of them. Raises IndexError if there is none."""
        count = len(seq)
        if not count:
            raise IndexError("there is nothing to choose from")
        bits = count.bit_length()
        drawn = self.getrandbits(bits)
        while drawn >= count:
            drawn = self.getrandbits(bits)
        return seq[drawn]


class Faults:
    """The faults of one seed.

    Args:
        seed: Draws which are on, and how often they strike.

        off: Kinds that never strike, whatever the seed says.

        fired: Counts what struck.
    """

    def __init__(self, seed: int, off: frozenset[str] = frozenset(), fired: Counter[str] | None = None) -> None:
        draw = random.Random(number_of(seed, "faults"))
        every = draw.random() < 0.2
        self.rates = {
            kind: chance * draw.choice((0.3, 1.0, 2.0))
            for kind, chance in KINDS.items()
            if (draw.random() < 0.5 or every) and kind not in off
        }
        self.fired: Counter[str] = Counter() if fired is None else fired
        self.calm = False
        self._seed = seed
        self._dice: dict[str, tuple[Callable[[], float], float]] = {}

    def strikes(self, kind: str) -> bool:
        """Whether a fault strikes now. Each kind has dice of its own, so that one more kind does not change the others."""
        if self.calm:
            return False
        dice = self._dice.get(kind)
        if dice is None:
            if kind not in self.rates:
                return False
            dice = self._throw(kind)
        throw, rate = dice
        if throw() >= rate:
            return False
        self.fired[kind] += 1
        return True

    def wait(self, kind: str) -> int:
        """How many chances it has until it strikes, that one included: as throwing at each would have it, in one throw."""
        throw, rate = self._dice.get(kind) or self._throw(kind)
        return 1 + int(math.log(1.0 - throw()) / math.log(1.0 - rate))

    def _throw(self, kind: str) -> tuple[Callable[[], float], float]:
        """Dice of a kind, made when they are first thrown: to seed them is dear, and many never are."""
        dice = random.Random(number_of(self._seed, kind)).random, self.rates[kind]
        self._dice[kind] = dice
        return dice
