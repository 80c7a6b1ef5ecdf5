"""The kinds of fault that a simulated world has: what they do, and how often they may strike.

Each seed turns a random half of them off (swarm testing), so that rare combinations come up, and draws the rates of the rest.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from wingbeat.base.errors import ErrorKind
from wingbeat.spec.outcome import ErrorInfo

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
    "a kernel is paused": 0.02,
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
    "a stored value is gone": 0.3,
    # child executions
    "a child fails": 0.2,
    "a child is aborted by others": 0.1,
    # people
    "somebody aborts": 0.003,
    "somebody rejects": 0.3,
    "an answer comes twice": 0.45,
    "an answer comes early": 0.03,
}
"""By kind, the chance that it strikes when it can."""
FAILURES: dict[str, ErrorInfo] = {
    "a user error": ErrorInfo("ValueError", "bad"),
    "an error that is not retried": ErrorInfo("NonRetryable", "never again", retryable=False),
    "out of memory": ErrorInfo("OutOfMemory", "too much"),
    "an attempt is lost": ErrorInfo("Lost", "gone", ErrorKind.SYSTEM),
    "an executor does not take an attempt": ErrorInfo("ExecutorFailed", "it does not answer", ErrorKind.SYSTEM),
}
"""How attempts fail: what is reported."""
ALL_OF_256 = 51
"""Of 256 seeds, so many have all kinds."""
_FACTORS = (0.3, 1.0, 1.0, 2.0)
"""A seed multiplies the chance of a kind by one of these."""
_RATES = {
    kind: [(rate, math.log(1.0 - rate)) for rate in (chance * f for f in _FACTORS)] for kind, chance in KINDS.items()
}
"""By kind, the chance that it strikes, and the logarithm of that it does not, for each factor."""
_NEVER = dict.fromkeys(KINDS, 1 << 62)
"""By kind, the chances that are left until it strikes."""
_64_BITS = (1 << 64) - 1
_NUMBERS = {kind: number for number, kind in enumerate((*KINDS, "faults", "schedule", "turn"))}


def number_of(seed: int, use: str) -> int:
    """What dice of a world are seeded with. A number: to seed with a text is several times as dear, and a world has many."""
    return seed << 8 | _NUMBERS[use]


class Dice(random.Random):
    """Draws what `random.Random` draws; a choice, of which a world makes a hundred, in one step instead of two."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """One of them. Raises IndexError if there is none."""
        if not seq:
            raise IndexError("there is nothing to choose from")
        return seq[self.below(len(seq))]

    def below(self, count: int) -> int:
        """One of the numbers from 0 up to `count`, which is at least 1 and not among them."""
        bits = count.bit_length()
        drawn = self.getrandbits(bits)
        while drawn >= count:
            drawn = self.getrandbits(bits)
        return drawn


def uniform(seed: int, number: int) -> float:
    """One of [0, 1), as good as drawn: the `number`th that a seed gives. Dice of their own cost as much as a hundred of these.

    Source: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    mixed = (seed * 0xD1342543DE82EF95 + number * 0x9E3779B97F4A7C15) & _64_BITS
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _64_BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _64_BITS
    return ((mixed ^ mixed >> 31) >> 11) * 2.0**-53


class Faults:
    """The faults of one seed.

    Args:
        seed: Draws which are on, and how often they strike.

        off: Kinds that never strike, whatever the seed says.

        fired: Counts what struck.
    """

    def __init__(self, seed: int, off: frozenset[str] = frozenset(), fired: Counter[str] | None = None) -> None:
        every, *drawn = blake2b(number_of(seed, "faults").to_bytes(16, "big"), digest_size=1 + len(KINDS)).digest()
        self.rates: dict[str, float] = {}
        self._spared: dict[str, float] = {}
        self._left = dict(_NEVER)
        for (kind, rates), of_kind in zip(_RATES.items(), drawn, strict=True):
            if (of_kind & 1 or every < ALL_OF_256) and kind not in off:
                self.rates[kind], self._spared[kind] = rates[of_kind >> 1 & 3]
                self._left[kind] = 0
        self.fired: Counter[str] = Counter() if fired is None else fired
        self.calm = False
        self._seed = seed
        self._waits: dict[str, int] = {}

    def calm_down(self) -> None:
        """Nothing strikes any more."""
        self.calm, self._left = True, dict(_NEVER)

    def strikes(self, kind: str) -> bool:
        """Whether a fault strikes now. Each kind draws for itself, so that one more kind does not change the others."""
        left = self._left[kind] or self.wait(kind)  # where nobody has asked before
        if left > 1:
            self._left[kind] = left - 1
            return False
        self._left[kind] = self.wait(kind)
        self.fired[kind] += 1
        return True

    def wait(self, kind: str) -> int:
        """How many chances it has until it strikes, that one included: as throwing at each would have it, in one throw."""
        number = self._waits[kind] = self._waits.get(kind, 0) + 1
        drawn = uniform(number_of(self._seed, kind), number)
        return 1 + int(math.log(1.0 - drawn) / self._spared[kind])
