"""What goes wrong, how often: drawn from a seed, and counted.

Every kind of fault has its own dice, so that a kind that is added does not change what the others do. Each seed turns a part
of the kinds off: what many kinds together hide, few show.
"""

from __future__ import annotations

import random
from collections import Counter

OFF = 0.4
"""Share of the kinds that a seed turns off."""

RATES: dict[str, tuple[float, ...]] = {
    "journal: slow": (0.05, 0.3),
    "journal: full": (0.02, 0.1),
    "journal: unknown, not written": (0.003, 0.01),
    "journal: unknown, written": (0.003, 0.01),
    "journal: cannot be opened": (0.05, 0.3),
    "journal: cannot be read": (0.01, 0.05),
    "journal: snapshot lost": (0.1, 0.5),
    "journal: snapshot older": (0.1, 0.5),
    "kernel: killed before a commit": (0.003, 0.01),
    "kernel: killed after a commit": (0.003, 0.01),
    "kernel: killed anywhere": (0.3, 1.0),
    "kernel: held": (0.3, 0.7),
    "kernel: held beyond a takeover": (0.3, 0.7),
    "kernel: closed": (0.1, 0.4),
    "kernel: taken over while it runs": (0.1, 0.4),
    "executor: takes at once": (0.2, 0.9),
    "executor: slow to take": (0.1, 0.3),
    "executor: refuses": (0.05, 0.5),
    "executor: takes and raises": (0.05, 0.5),
    "executor: cancel raises": (0.1, 0.4),
    "executor: cancel answers late": (0.1, 0.3),
    "executor: cancel came too late": (0.1, 0.5),
    "executor: recover raises": (0.05, 0.2),
    "executor: cannot start": (0.05, 0.2),
    "executor: loses": (0.02, 0.1),
    "executor: lost when adopted": (0.1, 0.3),
    "executor: reports twice": (0.1, 0.5),
    "executor: reports late": (0.05, 0.2),
    "executor: contradicts itself": (0.05, 0.3),
    "executor: reports what nobody asked for": (0.05, 0.2),
    "executor: forgets to say that it runs": (0.1, 0.5),
    "executor: user error": (0.1, 0.3),
    "executor: system error": (0.05, 0.2),
    "executor: final error": (0.02, 0.1),
    "executor: stopped by somebody else": (0.02, 0.1),
    "executor: runs very long": (0.02, 0.2),
    "executor: outputs missing": (0.01, 0.05),
    "catalog: raises": (0.05, 0.3),
    "catalog: hangs": (0.02, 0.1),
    "catalog: slow": (0.1, 0.3),
    "catalog: foreign entry": (0.05, 0.3),
    "catalog: loses an entry": (0.05, 0.2),
    "catalog: answer lost": (0.05, 0.2),
    "storage: damaged": (0.1, 0.5),
    "storage: cannot be read": (0.2, 0.6),
    "clock: jumps ahead": (0.3, 0.7),
    "clock: jumps back": (0.3, 0.7),
    "user: leaves": (0.1, 0.4),
    "user: doubles": (0.2, 0.5),
    "observer: raises": (0.05, 0.3),
    "observer: hangs": (0.01, 0.05),
}  # fmt: skip


class Chance:
    """The dice of one seed. `calm`: nothing goes wrong any more."""

    def __init__(self, seed: int, fired: Counter[str]) -> None:
        self.seed, self.fired = seed, fired
        self.calm = False
        self._rngs: dict[str, random.Random] = {}
        rng = random.Random(f"{seed}/options")
        self.shuffled = rng.random() < 0.8
        self.slots = rng.choice((1, 2, 2, 3))
        self.users = rng.choice((1, 2, 3))
        self.catalog = rng.random() < 0.8
        self.reports_running = rng.random() < 0.8
        self.storm_s = rng.choice((20.0, 60.0, 120.0))
        self.rates = {kind: 0.0 if rng.random() < OFF else rng.choice(rates) for kind, rates in RATES.items()}

    def rng(self, name: str) -> random.Random:
        """The dice of an authority."""
        found = self._rngs.get(name)
        if found is None:
            found = self._rngs[name] = random.Random(f"{self.seed}/{name}")
        return found

    def fires(self, kind: str) -> bool:
        """Whether this goes wrong now."""
        rate = self.rates[kind]
        if self.calm or not rate or self.rng(kind).random() >= rate:
            return False
        self.fired[kind] += 1
        return True

    def options(self) -> str:
        """All that was drawn."""
        drawn = {k: getattr(self, k) for k in ("shuffled", "slots", "users", "catalog", "reports_running", "storm_s")}
        lines = [f"  {name} = {value}" for name, value in drawn.items()]
        return "\n".join(lines + [f"  {kind} = {rate}" for kind, rate in self.rates.items() if rate])
