"""Backfills: what an `Admin` may do besides: the ticks of a schedule within a range, each as an execution, below live work.

An admin that is a `Backfilling` too passes the kit `wingbeat.testing.conformance.admin_backfill.BackfillContract`. What holds for
the calls of an admin (`wingbeat.contracts.admin`) holds for these. And:

- *Once*: the execution of a tick has the id that the live schedule gives it, so what has run live is not run again, and two
  backfills over one range do not double; unless one is to run all of it `again`.
- *As it was*: version, ticks and inputs are settled when a backfill is created.
- *Bounded*: at most `Backfill.concurrency` executions are under way. They have a lower priority than live ones, wait where their
  launch plan has a limit, whatever that says of others, and neither count for the overlap policy of the schedule nor pause it.
- *Told* (where the admin is a `Notifying`): by the notifications of the launch plan, and rules, once, when it is over: of SUCCEEDED
  if nothing has failed, of FAILED if something has, of ABORTED; with counts. Again, if what had failed was run once more.
- *Crash*: a tick is taken in the transaction that decides on its launch; so one that was killed goes on where it was.
"""

from __future__ import annotations

import enum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.spec.literal import Literals

BACKFILL_LABEL = "wingbeat/backfill"
"""Label of an execution that a backfill has launched: the id of that."""
TICKS_MAX = 100_000
"""So many ticks may be in a range."""
CONCURRENCY_MAX = 1000
FAILURES_TOLD = 20
"""So many of the ticks that failed are told with a backfill."""


class Backfill(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A backfill to be.

    Attributes:
        entity: The launch plan, ``project/domain/name@version``; without a version, the active one, or else the newest.

        since: Ticks from then on are run, in epoch seconds.

        until: Those before then; not later than now.

        inputs: Wire values, by name, for every tick; what has a default may be left out. Nobody gives the one that takes the tick.

        name: The backfill's id; makes the creation idempotent. Empty: one is made.

        concurrency: So many executions are under way at once.

        again: Run also what has run already, under ids of the backfill's own.

        reverse: The newest tick comes first.

        notify_each: Those who are told of executions of the launch plan are told of each of these, too. Otherwise they are told
            once, when the backfill is over.
    """

    entity: str
    since: float
    until: float
    inputs: dict[str, Any] = {}
    name: str = ""
    concurrency: int = 4
    again: bool = False
    reverse: bool = False
    notify_each: bool = False


class BackfillPhase(enum.StrEnum):
    """Where a backfill is."""

    RUNNING = "running"
    PAUSED = "paused"
    """It takes no tick; what it has launched goes on."""
    ABORTED = "aborted"
    """It takes no tick any more; what it had launched was, or is being, stopped."""
    ENDED = "ended"
    """None of its ticks waits or runs."""


class FailedTick(Struct, frozen=True, omit_defaults=True):
    """A tick whose execution has not succeeded, or could not be launched; why."""

    tick: float
    execution: str = ""
    reason: str = ""


class BackfillEntry(Struct, frozen=True, omit_defaults=True):
    """A backfill, as it is now. Moments are in epoch seconds.

    Attributes:
        entity: The version of the launch plan that it runs.

        reason: Why it is paused or was aborted.

        waiting: How many of its ticks have not been taken.

        running: How many are under way.

        failed: How many have not succeeded: also those that were aborted, and those that could not be launched.

        there: How many had an execution already that was not the backfill's.

        failures: Some of those that failed, in their order; in lists, none.

        inputs: What is given to every tick, as literals; in lists, nothing.
    """

    id: str
    entity: str
    phase: BackfillPhase
    since: float
    until: float
    created_at: float
    concurrency: int
    by: str = ""
    reason: str = ""
    again: bool = False
    reverse: bool = False
    ended_at: float | None = None
    waiting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    there: int = 0
    failures: list[FailedTick] = []
    inputs: Literals = {}
    notify_each: bool = False

    @property
    def total(self) -> int:
        """How many ticks it has."""
        return self.waiting + self.running + self.succeeded + self.failed + self.there


class BackfillPlan(Struct, frozen=True):
    """What a backfill would do: with which version, of how many ticks, how many of these have an execution already; and which ticks
    come first."""

    entity: str
    total: int
    there: int
    first: list[float]


class BackfillQuery(Struct, frozen=True, omit_defaults=True):
    """Which backfills are listed: those that all that is given selects; the newest first, behind the id `after`.

    Attributes:
        name: Of the launch plan.

        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    project: str = ""
    domain: str = ""
    name: str = ""
    phase: BackfillPhase | None = None
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None


class BackfillPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[BackfillEntry]
    following: str = ""


@runtime_checkable
class Backfilling(Protocol):
    """What an admin that runs backfills can do besides."""

    async def create_backfill(self, backfill: Backfill, *, by: str = "") -> BackfillEntry:
        """Begin one. `by` is who does it. Its executions have the labels that those of the schedule have, and `BACKFILL_LABEL`.

        Called again: with the same name and content, answers with what is there.
        Raises: `NotFound`; `InputError` for what has no schedule, a range that has no tick, more than `TICKS_MAX`, or lies in the
        future, and for inputs as of `Admin.launch`; `ConflictError` if there is one of that name with another content.
        """

    async def backfill_plan(self, backfill: Backfill) -> BackfillPlan:
        """What creating it would do. Creates nothing. Raises as of `create_backfill`, but no `ConflictError`."""

    async def backfill(self, id: str) -> BackfillEntry:
        """One of them, with its inputs and some of its failures. Raises `NotFound`."""

    async def backfills(self, query: BackfillQuery) -> BackfillPage:
        """Backfills. Raises `NotFound` for an `after` that is not there."""

    async def pause_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """Have it take no tick until `resume_backfill`. Raises `NotFound`, and `ConflictError` if it has ended or was aborted."""

    async def resume_backfill(self, id: str, *, failed: bool = False, by: str = "") -> BackfillEntry:
        """Have it go on; with `failed`, also with the ticks that have failed, each under another id, though it has ended.

        Called again: one that runs goes on, one that has ended stays so, unless ticks have failed that are to be run.
        Raises: `NotFound`, and `ConflictError` if it was aborted.
        """

    async def abort_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """Have it take no tick any more, and stop its executions; they may not have ended when it returns. One that has ended stays
        as it is. Raises `NotFound`."""


__all__ = [
    "BACKFILL_LABEL",
    "CONCURRENCY_MAX",
    "FAILURES_TOLD",
    "TICKS_MAX",
    "Backfill",
    "BackfillEntry",
    "BackfillPage",
    "BackfillPhase",
    "BackfillPlan",
    "BackfillQuery",
    "Backfilling",
    "FailedTick",
]
