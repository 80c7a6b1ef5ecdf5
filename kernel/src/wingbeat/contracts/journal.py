"""Journal: what happened, durably and in order, for every execution of one home.

Rows are opaque here: the engine writes encoded facts. An append carries the writer's fence, checked in the same transaction;
a writer whose fence is not the newest is refused and must stop.

The kit is `wingbeat.testing.conformance.journal.JournalContract`. What holds for all calls:

- *Order*: `open` or `open_to_read` first, then everything else, from many tasks at once (one `append` at a time, reads meanwhile);
  `close` is last, may come without an `open` or after one that raised, and twice. Before `open` and after `close`, calls raise
  `JournalUnknown`.
- *Hanging*: each call has a time in which it has to return (`open`, `append` a minute, reading two, `close` half a minute), and is
  cancelled then. An append that has not answered may have been written: the engine stops, as after `JournalUnknown`; so it does
  for any other exception, and for answers of another type.
- *Cancellation*: of an `append` leaves it in doubt whether it took place, whole; the journal goes on to work.
- *Reading* raises `JournalUnknown` if it cannot, `JournalDamaged` for other bytes than were written; never less than there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.base.errors import WingbeatError


class FencedOut(WingbeatError):
    """Another kernel has taken the home over. Stop; act on nothing more."""


class StorageFull(WingbeatError):
    """The disk is full. The transaction did not take place."""


class Row(Struct, frozen=True):
    """Some facts of one execution that became true together."""

    execution: str
    sequence: int
    body: bytes


class Record(Struct, frozen=True, omit_defaults=True):
    """What is known of an execution without reading its facts. `inputs` and `closure` never change after the launch."""

    execution: str
    closure: str
    workflow: str
    inputs: bytes
    launch_key: str
    created_at: float
    phase: str
    ended_at: float | None = None
    labels: dict[str, str] = {}
    damaged: bool = False
    """Set by a journal that finds other bytes than it wrote: nothing else here is to be relied upon."""
    doubtful: bool = False
    """The same of `phase` and `ended_at` alone: the facts tell what they should be."""


class Change(Struct, frozen=True):
    """An execution as it is now, under the number of what changed last: its launch, or its phase.

    Attributes:
        number: Counts launches and changes of phases, of all executions; later ones have greater numbers.
    """

    number: int
    record: Record


class Ended(Struct, frozen=True):
    """That an execution reached a terminal phase, or changed it."""

    execution: str
    phase: str
    at: float | None


class Batch(Struct):
    """One group commit: everything in it becomes durable together or not at all."""

    rows: list[Row] = []
    launches: list[Record] = []
    phases: list[Ended] = []
    closures: dict[str, bytes] = {}


class Snapshot(Struct, frozen=True):
    """The state of an execution after the row `sequence`."""

    execution: str
    sequence: int
    body: bytes


class Journal(Protocol):
    """One journal. One writer at a time; readers as many as wanted."""

    async def open(self, owner: str) -> int:
        """Open for writing, creating it if needed, and take the next fence, which shuts every earlier writer out.

        From then on `records(live=True)` gives every execution that has not ended, and those that may not have: which they are
        is told by their facts.

        Called when: the kernel has come to hold the home. Called again: on another object, by whoever takes over; the answer is
        a number greater than every one before, also if nothing was written meanwhile. `owner` is for people.
        Raises: `ConfigurationError` for a journal of a newer format, `JournalUnknown` if it cannot be read.
        """

    async def open_to_read(self) -> None:
        """Open what is there for reading, beside whoever writes it, of this or another process; take no fence, write nothing.

        What is committed later is read as well. Called when: somebody looks at a home without holding it; nothing but reading and
        `close` follows, and what would write raises.
        Raises: `NotFound` if nothing was written there, and makes nothing; `ConfigurationError` for a journal of a newer format, or
        one that cannot be read while another process writes; `JournalUnknown` if it cannot be read.
        """

    async def append(self, batch: Batch, fence: int) -> None:
        """Commit `batch` in one transaction with the check of `fence`. Returns when it is durable.

        Called when: something became true; whatever did at the same time is in one batch, which may be large. Called again: with
        the same batch after `StorageFull` only. A row or launch that is there already is an error, and nothing of its batch is
        written: any exception but `StorageFull`, after which the same would be tried again, and `FencedOut`. A closure that is
        there already is none.
        Raises: `FencedOut` (the fence is not the newest one, whatever the batch holds) and `StorageFull`: nothing was written. The
        engine tries again after a full disk, and stops after anything else. `JournalUnknown`: it may have been written.
        """

    async def snapshot(self, snapshot: Snapshot, fence: int) -> None:
        """Keep a state, so that a restart need not read the rows before it. Replaces the earlier one; the rows stay.

        Called when: after many rows of a live execution, when they are durable. With a fence that is not the newest nothing is
        kept; it may raise `FencedOut` or not. Raises: `StorageFull` (harmless), `JournalUnknown`.
        """

    async def closure(self, digest: str) -> bytes | None:
        """A stored closure, None if there is none. The engine checks it against its digest."""

    async def record(self, execution: str) -> Record | None:
        """One execution, None if there is none. Raises: `JournalUnknown`; what is damaged is marked in the record."""

    async def records(
        self, *, live: bool | None = None, launch_key: str | None = None, after: str = "", limit: int = 100
    ) -> list[Record]:
        """Executions, those first that were launched here last: those that have not ended with `live`, those that have without,
        those of a launch key; `after` continues behind the execution of that id. `limit` may be any number: a kernel that starts
        asks for all that live."""

    async def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """Executions that were launched, or whose phase has changed, behind the number `after`: in the order of their numbers, each
        once, as it is now. Who goes on behind the last number that it was told misses no execution and no end.

        Raises `JournalUnknown`; what is damaged is marked in the record."""

    async def read(self, execution: str, after: int = -1) -> list[Row]:
        """The rows of an execution behind the sequence number `after`, in order. Raises `JournalUnknown` if one is damaged."""

    async def latest(self, execution: str) -> Snapshot | None:
        """The newest snapshot of an execution, None if there is none or it is damaged: the rows are there."""

    async def close(self) -> None:
        """Close, and let go of everything. What was appended stays. Called again, or without `open`: nothing happens."""


@runtime_checkable
class Prunable(Protocol):
    """What a journal can do besides that lets go of what is over. One that cannot keeps everything. The kit is
    `wingbeat.testing.conformance.journal_prune.PruneContract`."""

    async def prune(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        """Forget those of these executions that have ended, with their rows and snapshots, and those of these closures that no
        execution is of; all in one transaction with the check of `fence`. Says how many executions that were. The numbers of
        `changes` are not given again.

        Called when: no append is under way. Called again: nothing is left to forget; it returns 0. Raises as `append`.
        """

    async def closures(self) -> list[str]:
        """The digests of all closures. May be called of one that is open to read."""
