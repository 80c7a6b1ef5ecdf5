"""Observers: told what became true, after it is durable.

The kit is `wingbeat.testing.conformance.observer.ObserverContract`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct


class Published(Struct, frozen=True, omit_defaults=True):
    """One thing that happened, in the order of the journal of its execution.

    Attributes:
        cursor: Number of the event within the execution; a reader that resumes asks for what is behind its last one.

        kind: ``execution``, ``scope`` (a workflow inside it), ``node``, ``attempt``, ``cache``, ``items``, ``signal``. While a
            task is under way its attempts are told of, and its node when that has ended; a node that holds no process when it
            begins, too.

        phase: The phase that was entered.

        task: What the node calls, or is; of an execution or scope, the name of its workflow.

        evidence: Of an attempt, what its executor knows; of one that is to be made, ``chosen`` (what options that depend on
            the call came to) and ``name`` (what the author calls its node). Of a node that holds no process, what it is:
            ``items`` (how many a map has), ``arm`` and ``skipped`` (ids of nodes; of a branch), ``gate`` (name), ``approval``,
            ``type`` and ``choices`` (of a gate: what answers it), ``child`` (id of the execution that it launches). Of a
            scope, ``nodes``: how many.

        again: It became true under an earlier kernel of the home, and may have been told by that one. Its `cursor` is -1.
    """

    execution: str
    cursor: int
    at: float
    kind: str
    phase: str
    node: str = ""
    attempt: int = 0
    reason: str = ""
    cache: str = ""
    task: str = ""
    error: dict[str, Any] | None = None
    evidence: dict[str, Any] = {}
    again: bool = False


MISSED = "missed"
"""Kind of an event that is no event of an execution: so many events before the next one (``evidence["events"]``) were not told."""


class Observer(Protocol):
    """Receives what happens from when it was started, after it is durable, in order for each execution. Its queue is bounded; what
    is too slow misses events, and so does everybody in a crash. One that has missed some is told so (`MISSED`); they are in the
    journal. It keeps nothing of executions that have ended, but what it has still to send: a kernel runs for months.

    An observer need not remember anything over a restart: before an execution goes on that an earlier kernel began, all that is
    known of its nodes and attempts, those that have ended too, is told (`Published.again`). What counts must not count that."""

    async def start(self) -> None:
        """Get ready. Called once, before anything else. If it raises, or takes longer than ten seconds, it is told nothing."""

    async def observe(self, events: list[Published]) -> None:
        """Take some events: those of one execution that became durable together, behind a `MISSED` where some are missing.

        Called with one batch at a time. Raising, or taking longer than a minute, counts as having missed them; after some failures
        in a row it is left alone for a while. An observer that sends must not wait for the network here: it keeps what it has to
        send, within bounds.
        Executions may be heard of for the first time in their middle, and have gaps; kinds and phases may be new ones. The list and
        its events are those of the other observers too: nothing in them is changed.
        Cancelled: at any await, when it took too long or the kernel closes. The next call, or `close`, comes all the same.
        """

    async def close(self) -> None:
        """Send what is kept, and let go, within some seconds. Called last; also without a `start`, where the kernel failed
        before; not after one that raised."""


@runtime_checkable
class Propagates(Protocol):
    """What an observer may have besides: a say in what the processes of attempts find in their environment, so that what they
    tell somewhere else can be put together with what it tells."""

    def variables(self, attempt: str) -> Mapping[str, str]:
        """The environment variables for an attempt, by its id (``execution/node/attempt``).

        Called on the engine's loop for every attempt, before it is submitted: must return at once. Must give the same for the
        same id, also after a restart: a request may be made again. Raising counts as having none.
        """
