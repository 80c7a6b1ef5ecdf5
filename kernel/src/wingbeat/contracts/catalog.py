"""Catalog: memoization of tasks. None is in the box; without one every `cache=True` task runs and says so.

The kit is `wingbeat.testing.conformance.catalog.CatalogContract`. What holds for all calls:

- *What it knows are hints*: the engine verifies what a hit refers to, and runs the task where the catalog fails. So a call may
  raise anything and lose nothing but a hit; it may not answer with what was never published, or under another key.
- *Order*: `start` first, then everything else, from many tasks at once; `close` is last, and may come without a `start`.
- *Hanging*: a call that has not answered within half a minute is cancelled, and has failed. After several failures in a row the
  catalog is left alone for a while.
- *Cancellation*: at any await. The call took place or it did not, and the next one works. A call that has not ended ten seconds
  later is left behind, and until it ends the catalog is asked for nothing but to close.
- *Time* is the catalog's: expiry and reservations go by its own clock, in epoch seconds.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.spec.literal import Literals


class CacheKey(Struct, frozen=True):
    """Identity of a piece of work. `digest` is the key; the rest is kept so that a miss can be explained.

    Digests, here and of what is stored, are text: ``sha256:`` and 64 small hexadecimal digits.

    Attributes:
        digest: Over all that follows.

        task: Name of the task; with its place before it, ``project/domain/name``, where that is not the default one.

        version: Cache version: any text that was given, or a digest where it is derived from the code.

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
    """Why a lookup hit or missed: a sentence, and the nearest entry that it was compared with.

    Attributes:
        reason: For people. Of a hit, it names the attempt that computed it; of a miss, what differs, that the entry has expired, or
            the task of which there is nothing.

        differences: What is not the same in the nearest entry, a phrase for each: an input by its name in quotes; a version that
            was given, as such; one that was derived as the code of the task, with the task's name. Versions were derived where
            both are digests: both begin with ``sha256:``.
    """

    hit: bool
    reason: str
    differences: tuple[str, ...] = ()
    nearest: CacheEntry | None = None


class Eviction(Struct, frozen=True, omit_defaults=True):
    """Which entries are to be removed: those that all that is given selects. With nothing given it is refused.

    Attributes:
        digest: The one under this key.

        task: Those of the task that keys know by this name: ``project/domain/name`` outside of the default place.

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
    """A memoization service. All calls may be made from several kernels at once, where it is shared by them."""

    async def start(self) -> None:
        """Get ready. Called once, before anything else.

        Raises: `ConfigurationError` if it cannot work here; tasks run then as if there were no catalog.
        """

    async def close(self) -> None:
        """Let go of everything. What was published stays. Called last; also without `start`, and again: nothing happens then."""

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """The entry under `key`, unless it has expired. Whether its blobs still exist is the engine's to verify.

        Called when: a cached task is about to run, and once more after a reservation was granted. It counts as a use.
        Raises: anything; the task runs, and is not published.
        """

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """Ask to be the one that computes `key` (create or extend). Answers with whoever holds it: `owner` if granted.

        Of many who ask at once, exactly one is granted. `owner` is ``execution/node``, the same after a restart.
        Called again: by the owner, extends it from now; by others, answers who holds it and until when. A reservation that has
        run out is anybody's: who crashed does not hold it for ever.
        Raises: anything; as of `lookup`.
        """

    async def release(self, key: CacheKey, owner: str) -> None:
        """Give a reservation back. Not held, or held by somebody else: nothing happens, however often. Raises: anything; it runs
        out by itself."""

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """Store an entry: one conditional insert, first one wins unless `overwrite`. An expired entry is not in the way.

        Either way it releases the reservation of the node that computed it, of this key. Returns when it is durable.
        Called when: the outputs of a task are in the journal. Called again: after a crash, with an equal entry; nothing changes.
        Raises: anything; the outputs stay valid.
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

        Those that all that is given selects; with nothing given none. A negative age reaches into the future: with a large one, no
        entry is too new. Called when: a hit was found damaged, and when a person asks. Called again: nothing is left to remove.
        """

    async def explain(self, key: CacheKey) -> Explanation:
        """Why `key` hits or misses now, against the entry of the same task that is nearest to it.

        Called when: a lookup missed, and when a person asks. Answers a sentence for people, and changes nothing. Raises:
        anything; as of `lookup`.
        """


@runtime_checkable
class Trimmable(Protocol):
    """What a catalog can do besides that lets go of entries which nobody asks for. One that cannot keeps everything until somebody
    evicts it. The kit is `wingbeat.testing.conformance.catalog_trim.TrimContract`.

    An entry is *used* when `lookup` answers with it, and when something is published under its key, also if the first one wins.
    One whose key is reserved now is not stale, however old it is.
    """

    async def stale(self, unused_s: float) -> Evicted:
        """How many entries were last used more than so many seconds ago, and the bytes that they count. Changes nothing."""

    async def trim(self, unused_s: float, limit: int) -> Evicted:
        """Remove at most `limit` of those, and say how much that was: nothing, when none is left.

        Called when: entries are collected, in batches, beside all other calls. A lookup at the same time either misses, or has
        answered with an entry that stays. Called again: goes on with the next. Raises: anything; the next collection goes on.
        """
