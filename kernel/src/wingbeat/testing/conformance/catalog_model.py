"""A catalog against a dictionary: random calls, the same answers."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from wingbeat.contracts.catalog import CacheEntry, CacheKey, Catalog
from wingbeat.spec.literal import Inline

_TASKS = ("m.f", "m.g")
_KEYS = tuple(
    CacheKey(f"sha256:{task}{version}{x}", task, version, "i", {"x": str(x)})
    for task, version, x in itertools.product(_TASKS, "12", range(2))
)
_OWNERS = ("x1/n0", "x2/n0", "x2/n1")

_keys = st.sampled_from(_KEYS)
_owners = st.sampled_from(_OWNERS)


class _Machine(RuleBasedStateMachine):
    """The catalog, and beside it what it should hold."""

    def __init__(self, make: Callable[[Callable[[], float]], Catalog], moves_clock: bool) -> None:
        super().__init__()
        self.make, self.moves_clock = make, moves_clock
        self.now = 1_800_000_000.0
        self.entries: dict[str, CacheEntry] = {}
        self.reservations: dict[str, tuple[str, float]] = {}
        self.runner = asyncio.Runner()

    @initialize()
    def open(self) -> None:
        self.catalog = self.make(lambda: self.now)
        self.runner.run(self.catalog.start())

    def call(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    def holds(self, entry: CacheEntry) -> bool:
        return entry.expires_at is None or entry.expires_at > self.now

    @rule(
        key=_keys, value=st.integers(), owner=_owners, ttl=st.sampled_from([None, 5.0, 50.0]), overwrite=st.booleans()
    )
    def publish(self, key: CacheKey, value: int, owner: str, ttl: float | None, overwrite: bool) -> None:
        expires = None if ttl is None or not self.moves_clock else self.now + ttl
        entry = CacheEntry(key, {"o0": Inline(str(value))}, f"{owner}/0", self.now, expires, 10)
        self.call(self.catalog.publish(entry, overwrite=overwrite))
        old = self.entries.get(key.digest)
        if old is None or overwrite or not self.holds(old):
            self.entries[key.digest] = entry
        if self.reservations.get(key.digest, ("",))[0] == owner:
            del self.reservations[key.digest]

    @rule(key=_keys)
    def lookup(self, key: CacheKey) -> None:
        entry = self.entries.get(key.digest)
        assert self.call(self.catalog.lookup(key)) == (entry if entry and self.holds(entry) else None)

    @rule(key=_keys)
    def explain(self, key: CacheKey) -> None:
        entry = self.entries.get(key.digest)
        explanation = self.call(self.catalog.explain(key))
        assert explanation.hit == (entry is not None and self.holds(entry))
        assert explanation.reason

    @rule(key=_keys, owner=_owners, seconds=st.sampled_from([5.0, 50.0]))
    def reserve(self, key: CacheKey, owner: str, seconds: float) -> None:
        holder, until = self.reservations.get(key.digest, (owner, 0.0))
        if holder == owner or until <= self.now:
            holder = owner
            self.reservations[key.digest] = (owner, self.now + seconds)
        assert self.call(self.catalog.reserve(key, owner, seconds)).owner == holder

    @rule(key=_keys, owner=_owners)
    def release(self, key: CacheKey, owner: str) -> None:
        self.call(self.catalog.release(key, owner))
        if self.reservations.get(key.digest, ("",))[0] == owner:
            del self.reservations[key.digest]

    @rule(key=_keys)
    def evict_one(self, key: CacheKey) -> None:
        gone = self.entries.pop(key.digest, None)
        assert self.call(self.catalog.evict(digest=key.digest)).entries == (gone is not None)

    @rule(task=st.sampled_from(_TASKS))
    def evict_task(self, task: str) -> None:
        gone = [digest for digest, entry in self.entries.items() if entry.key.task == task]
        for digest in gone:
            del self.entries[digest]
        assert self.call(self.catalog.evict(task=task)).entries == len(gone)

    @precondition(lambda self: self.moves_clock)
    @rule(seconds=st.sampled_from([1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def reopen(self) -> None:
        self.call(self.catalog.close())
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            self.call(self.catalog.close())
        self.runner.close()


def run_model(make: Callable[[int, Callable[[], float]], Catalog], *, moves_clock: bool, examples: int) -> None:
    """Compare a catalog with a dictionary over random calls; each sequence has a state of its own, by number."""
    numbers = itertools.count()

    class Machine(_Machine):
        def __init__(self) -> None:
            super().__init__(functools.partial(make, next(numbers)), moves_clock)

    chosen = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(Machine, settings=chosen)
