"""Retention: for how long a home keeps what is over, and what it takes to let go of it.

Executions that have ended are kept for the days that `RETENTION_LABEL` says, else for those of the settings. Whoever collects asks
the admin first, if that is a `Retaining`, then has the engine forget them; content goes that nothing refers to any more. Each step
may be repeated, and a crash between two leaves something that the next collection takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

RETENTION_LABEL = "wingbeat/retention"
"""Label of an execution: the days for which it is kept when it has ended; ``0`` for ever."""


class Collected(Struct, frozen=True):
    """What a collection has let go of; or would, if it only looked.

    Attributes:
        executions: How many executions, with their facts, logs and decks.

        folders_bytes: Bytes in the folders of their attempts.

        closures: Compiled workflows that no execution is of any more.

        blobs: Files and trees that nothing refers to any more.

        blobs_bytes: Bytes of these.

        kept: Executions whose time is over and which stay, by why.

        skipped: What could not be collected here, in sentences.

        dry: Whether it only looked. What the executions refer to is counted among the blobs then, too.

        entries: Entries of the catalog that nobody has asked for.

        environments: Environments of tasks that no attempt was given.

        environments_bytes: Bytes of these.

        backfills: Backfills that are over, with their ticks.

        refusals: Launches that triggers were to make and could not.

        uploads: What was on its way into storage when the process that brought it was killed.
    """

    executions: int = 0
    folders_bytes: int = 0
    closures: int = 0
    blobs: int = 0
    blobs_bytes: int = 0
    kept: dict[str, int] = {}
    skipped: tuple[str, ...] = ()
    dry: bool = False
    entries: int = 0
    environments: int = 0
    environments_bytes: int = 0
    uploads: int = 0
    backfills: int = 0
    refusals: int = 0


@runtime_checkable
class Collecting(Protocol):
    """What an engine can do besides that lets go of what is over."""

    async def collect(self, *, dry: bool = False) -> Collected:
        """Let go of what is over, in batches, beside what runs; `dry` only looks. One collection at a time: others wait for it.

        Called again: finds nothing more, or what a crash has left. Cancelled: at any await; what was let go of is gone.
        Raises: `ConfigurationError` where it cannot be done from here.
        """


@runtime_checkable
class Retaining(Protocol):
    """What an admin can do besides that has a history of its own. The kit is
    `wingbeat.testing.conformance.admin_retention.RetentionContract`."""

    async def retained(self, executions: Sequence[str]) -> dict[str, str]:
        """Those of these executions that must stay, each with why: that an artifact is the newest of its kind, or that something is
        still to follow from its end."""

    async def forget(self, executions: Sequence[str]) -> None:
        """Have these executions, which have ended, not be in the history any more, nor what was told of them, nor the artifacts
        that they have published. Called again: nothing happens. Called before the engine forgets them."""


class Expired(Struct, frozen=True):
    """What an admin has let go of: backfills, refusals, and how many rows in all; or would let go of."""

    backfills: int = 0
    refusals: int = 0
    rows: int = 0


@runtime_checkable
class Expiring(Protocol):
    """What an admin can do besides that keeps what was decided: backfills (`wingbeat.contracts.backfill`) and refusals
    (`wingbeat.contracts.refusals`). The kit is `wingbeat.testing.conformance.admin_retention.ExpiryContract`."""

    async def expire(self, before: float, limit: int, *, dry: bool = False) -> Expired:
        """Let go of backfills that were over before that moment (epoch seconds), with their ticks, and of what was refused before;
        in one step some `limit` rows of each kind, so that others have their turn. `dry` counts all of them.

        A backfill is gone as a whole from the first step on, and its name may be taken again. Called again until no row is left.
        """
