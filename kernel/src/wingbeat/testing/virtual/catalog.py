"""The catalog of a virtual world: one, with a client in each kernel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wingbeat.contracts.catalog import CacheEntry, CacheKey, Evicted, Explanation, Reserved
from wingbeat.testing.virtual.world import World

if TYPE_CHECKING:
    from wingbeat.testing.virtual.kernels import Kernel

ANSWER_S = 0.01
SLOW_S = 5.0
HANGS_S = 1000.0


class Entries:
    """What all clients share: entries, and reservations with their ends."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entries: dict[str, CacheEntry] = {}
        self.reservations: dict[str, Reserved] = {}

    def held(self, digest: str) -> Reserved | None:
        """Who computes an entry now."""
        found = self.reservations.get(digest)
        return found if found is not None and found.until > self.world.clock.now() else None

    def release(self, digest: str, owner: str) -> None:
        """Give a reservation back, if it is his."""
        found = self.reservations.get(digest)
        if found is not None and found.owner == owner:
            del self.reservations[digest]


class SimCatalog:
    """A `wingbeat.contracts.catalog.Catalog`: one kernel's client."""

    def __init__(self, shared: Entries, kernel: Kernel) -> None:
        self._shared, self._world, self._kernel = shared, shared.world, kernel
        self._chance = self._world.chance
        self._rng = self._chance.rng("catalog")

    async def start(self) -> None:
        """See `Catalog.start`."""

    async def close(self) -> None:
        """See `Catalog.close`."""

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """See `Catalog.lookup`."""
        await self._called()
        shared = self._shared
        if self._chance.fires("catalog: loses an entry"):
            shared.entries.pop(key.digest, None)
        entries = shared.entries
        if len(entries) > 1 and self._chance.fires("catalog: foreign entry"):
            return next(entry for digest, entry in entries.items() if digest != key.digest)
        found = entries.get(key.digest)
        if found is not None:
            self._world.fired["cache hit"] += 1
        return found

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """See `Catalog.reserve`."""
        await self._called()
        held = self._shared.held(key.digest)
        if held is not None and held.owner != owner:
            self._world.fired["cache held"] += 1
            return held
        granted = Reserved(owner, self._world.clock.now() + seconds)
        self._shared.reservations[key.digest] = granted
        self._answer()
        return granted

    async def release(self, key: CacheKey, owner: str) -> None:
        """See `Catalog.release`."""
        await self._called()
        self._shared.release(key.digest, owner)

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """See `Catalog.publish`."""
        await self._called()
        digest = entry.key.digest
        if overwrite or digest not in self._shared.entries:
            self._shared.entries[digest] = entry
            self._world.fired["cache filled"] += 1
        self._shared.release(digest, entry.source.rpartition("/")[0])
        self._answer()

    async def evict(
        self,
        *,
        digest: str | None = None,
        task: str | None = None,
        older_than_s: float | None = None,
        size_max: int | None = None,
    ) -> Evicted:
        """See `Catalog.evict`; by digest only."""
        await self._called()
        return Evicted(int(self._shared.entries.pop(digest or "", None) is not None), 0)

    async def explain(self, key: CacheKey) -> Explanation:
        """See `Catalog.explain`."""
        await self._called()
        return Explanation(key.digest in self._shared.entries, "there is no entry of this task")

    async def _called(self) -> None:
        chance = self._chance
        seconds = ANSWER_S
        if chance.fires("catalog: slow"):
            seconds = SLOW_S
        await asyncio.sleep(self._rng.random() * seconds)
        if chance.fires("catalog: hangs"):
            await asyncio.sleep(HANGS_S)
        if chance.fires("catalog: raises"):
            raise OSError("the catalog is away")

    def _answer(self) -> None:
        if self._chance.fires("catalog: answer lost"):
            raise OSError("the catalog's answer was lost")
