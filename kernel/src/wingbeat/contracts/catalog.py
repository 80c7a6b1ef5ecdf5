"""Catalog: memoization of tasks. None is in the box; without one every `cache=True` task runs and says so."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from wingbeat.spec.literal import Literals


class CacheKey(Struct, frozen=True):
    """Identity of a piece of work. `digest` is the key; the rest is kept so that a miss can be explained.

    Attributes:
        digest: Over all that follows.

        task: Name of the task.

        version: Cache version: given, or derived from the code.

        interface: Digest of the task's interface.

        inputs: Content digest by input name, without ignored ones.
    """

    digest: str
    task: str
    version: str
    interface: str
    inputs: dict[str, str]


class CacheEntry(Struct, frozen=True, omit_defaults=True):
    """What a catalog holds under a key."""

    key: CacheKey
    outputs: Literals
    source: str = ""
    """Attempt that computed it, ``execution/node/attempt``."""
    created_at: float = 0.0
    expires_at: float | None = None
    size: int = 0


class Reserved(Struct, frozen=True):
    """Answer to `reserve`: who may compute it now, and until when (epoch seconds) unless extended."""

    owner: str
    until: float


class Explanation(Struct, frozen=True, omit_defaults=True):
    """Why a lookup hit or missed: a sentence, and the nearest entry that it was compared with."""

    hit: bool
    reason: str
    differences: tuple[str, ...] = ()
    nearest: CacheEntry | None = None


class Eviction(Struct, frozen=True, omit_defaults=True):
    """Which entries are to be removed: those that all that is given selects. With nothing given it is refused.

    Attributes:
        digest: The one under this key.

        task: Those of the task of this name.

        older_than_s: Those published so many seconds ago, or longer.

        size_max: Of what the others select, the least recently used, until at most so many bytes are left of it.

        everything: All entries, whatever else is given.
    """

    digest: str | None = None
    task: str | None = None
    older_than_s: float | None = None
    size_max: int | None = None
    everything: bool = False


class Evicted(Struct, frozen=True):
    """How much an eviction removed: entries, and the bytes that their values are counted with. No file is deleted."""

    entries: int
    size: int


class Catalog(Protocol):
    """A memoization service. All calls may be made from several kernels at once."""

    async def start(self) -> None:
        """Get ready. Called once, before anything else."""

    async def close(self) -> None:
        """Let go. Called once, last."""

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """The entry under `key`, unless it has expired. Whether its blobs still exist is the engine's to verify."""

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """Ask to be the one that computes `key` (create or extend). Answers with whoever holds it: `owner` if granted."""

    async def release(self, key: CacheKey, owner: str) -> None:
        """Give a reservation back. Not held: nothing happens."""

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """Store an entry: one conditional insert, first one wins unless `overwrite`.

        Either way it releases the reservation of the node that computed it.
        """

    async def evict(
        self,
        *,
        digest: str | None = None,
        task: str | None = None,
        older_than_s: float | None = None,
        size_max: int | None = None,
    ) -> Evicted:
        """Remove entries: that one, those of a task, those older, or the least recently used until at most `size_max` bytes.

        A negative age reaches into the future: with a large one, no entry is too new.
        """

    async def explain(self, key: CacheKey) -> Explanation:
        """Why `key` hits or misses now, against the entry of the same task that is nearest to it."""
