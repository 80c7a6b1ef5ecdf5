"""Notifiers: bring what becomes of executions to people and to other services, over channels that the deployment has named.

Who is told is said by launch plans (`wingbeat.spec.notifications`) and by settings, and decided by the admin, which sends. A spec
names channels only: where they lead, and with which secrets, is known to the notifier alone. The kit is
`wingbeat.testing.conformance.notifier.NotifierContract`. What holds for all calls:

- *Made* once for each admin that sends; making one does no I/O. There is no start: `notify` connects where it has to.
- *Again*: a message may come again, with the same id, also from another process after a crash: at least once, so receivers that
  must not have doubles drop them by the id, which a notifier hands on.
- *Order*: `notify` from many tasks at once, several in any order; `close` is last, also without anything before, and again.
- *Cancellation*: at any await, when it took too long or the admin closes. The message was delivered, or it was not. A call has to
  let go within ten seconds; until it does, no other is made.
- *Secrets*, also addresses that are some, are in no message of an error and in no log.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

from wingbeat.base.errors import WingbeatError
from wingbeat.base.units import format_duration
from wingbeat.spec.phase import ExecutionPhase

_TOLD = {
    ExecutionPhase.QUEUED: "waits for its turn",
    ExecutionPhase.RUNNING: "runs",
    ExecutionPhase.SUCCEEDING: "is about to succeed",
    ExecutionPhase.FAILING: "is about to fail",
    ExecutionPhase.ABORTING: "is being stopped",
    ExecutionPhase.SUCCEEDED: "has succeeded",
    ExecutionPhase.FAILED: "has failed",
    ExecutionPhase.ABORTED: "was aborted",
    ExecutionPhase.TIMED_OUT: "has timed out",
}


class Message(Struct, frozen=True, omit_defaults=True):
    """What is told of an execution, or of a backfill that is over.

    Attributes:
        id: The same however often it is sent: letters, digits and ``_``.

        channel: Whom to tell: one of `Notifier.channels`.

        at: When it became true, in epoch seconds; as are all moments here.

        execution: Which; empty for a backfill.

        workflow: Name of what it runs; of a backfill, of what its executions run.

        phase: That it has come into; of a backfill FAILED if a tick of it has failed; of a missed deadline, the one that it was in.

        after_s: Of a missed deadline: it has not ended so many seconds after its launch.

        entity: What it is of, ``project/domain/name@version``, if that is registered.

        cause: What has launched it, if that was a trigger.

        reason: Why it is where it is, or the error with which it has failed; any text.

        backfill: Id of the backfill that is over; empty for an execution, also for one of a backfill.

        ticks: Of a backfill: how many of its ticks have ``succeeded``, ``failed``, were ``there`` already, or are ``waiting``, as
            it was aborted; none, where a name is missing.
    """

    id: str
    channel: str
    at: float
    execution: str
    workflow: str
    phase: ExecutionPhase
    created_at: float
    after_s: float | None = None
    ended_at: float | None = None
    project: str = ""
    domain: str = ""
    entity: str = ""
    cause: str = ""
    labels: dict[str, str] = {}
    reason: str = ""
    backfill: str = ""
    ticks: dict[str, int] = {}

    @property
    def title(self) -> str:
        """What is told, in one sentence."""
        if self.backfill:
            return self._of_backfill()
        told = _TOLD[self.phase]
        if self.after_s is not None:
            told = f"has not ended {format_duration(self.after_s)} after its launch"
        return f"{self.entity or self.workflow} {told}: {self.execution}"

    def _of_backfill(self) -> str:
        told = "has ended with failures" if self.phase is ExecutionPhase.FAILED else _TOLD[self.phase]
        words = {"succeeded": "succeeded", "failed": "failed", "there": "already there", "waiting": "not begun"}
        counts = ", ".join(f"{self.ticks[name]:,} {word}" for name, word in words.items() if self.ticks.get(name))
        total = sum(self.ticks.values())
        return f"the backfill {self.backfill} of {self.entity} {told}: {counts}, of {total:,} ticks"


class NotDelivered(WingbeatError):
    """The receiver has not taken the message, this time.

    Args:
        message: Why, without a secret.
    """


class Undeliverable(WingbeatError):
    """This message will never be taken, however often it is sent: the receiver is gone, or has refused it for good.

    Args:
        message: Why, without a secret.
    """


class Notifier(Protocol):
    """Brings messages to the receivers of its channels."""

    @property
    def channels(self) -> Collection[str]:
        """Names of the channels that its settings set up. Always the same, and at once."""

    async def notify(self, message: Message) -> None:
        """Bring a message to its channel. Returns when the receiver has taken it.

        Called when: it was decided that this is to be told, and that is durable. Called again: with the same message, after a
        failure, ever later, for a day; and where nobody knows whether the call before has done it. It must come to an end: after a
        minute it is cancelled. Any text may hold any character, and be long. It never holds up the event loop: what blocks
        belongs into a thread. Nothing is kept for each message, neither memory nor threads.
        Raises: `Undeliverable`: it is not sent again. Anything else: it is sent again later; of what is no `WingbeatError`, as
        `NotDelivered` is, only the class is told, since its text may hold a secret.
        """

    async def close(self) -> None:
        """Let go of everything, within some seconds. Called last; also without a `notify`, and again: nothing happens then."""


__all__ = ["Message", "NotDelivered", "Notifier", "Undeliverable"]
