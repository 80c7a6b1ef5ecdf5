"""Keys, entries and a clock, for tests of catalogs."""

from __future__ import annotations

from typing import Any

from wingbeat.base.ids import digest
from wingbeat.contracts.catalog import CacheEntry, CacheKey
from wingbeat.spec.literal import Inline


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_key(task: str = "m.f", version: str = "1", interface: str = "i", **inputs: Any) -> CacheKey:
    """A key with the digests of some inputs."""
    digests = {name: digest(repr(value).encode()) for name, value in inputs.items()}
    whole = digest(repr((task, version, interface, sorted(digests.items()))).encode())
    return CacheKey(whole, task, version, interface, digests)


def make_entry(
    key: CacheKey,
    value: Any = 1,
    *,
    source: str = "x1/n0/0",
    at: float = 1_800_000_000.0,
    ttl: float | None = None,
    size: int = 10,
) -> CacheEntry:
    """An entry under a key."""
    return CacheEntry(key, {"o0": Inline(value)}, source, at, None if ttl is None else at + ttl, size)
