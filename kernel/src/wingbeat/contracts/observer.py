"""Observers: told what became true, after it is durable."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct


class Published(Struct, frozen=True, omit_defaults=True):
    """One thing that happened, in the order of the journal of its execution.

    Attributes:
        cursor: Number of the event within the execution; a reader that resumes asks for what is behind its last one.

        kind: ``execution``, ``scope`` (a workflow inside it), ``node``, ``attempt``, ``cache``, ``items``, ``signal``.

        phase: The phase that was entered.

        task: What a node calls, when it is first heard of and is none that was launched.

        evidence: Of an attempt, what its executor knows; of one that is to be made, ``chosen`` (what options that depend on
            the call came to). Of a node that holds no process, what it is: ``items`` (how many a
            map has), ``arm`` and ``skipped`` (ids of nodes; of a branch), ``gate`` (name), ``approval`` and ``type`` (of a
            gate), ``child`` (id of the execution that it launches). Of a scope, ``nodes``: how many.
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


class Observer(Protocol):
    """Receives every event, at least once, in order for each execution. Its queue is bounded; what is too slow misses
    events, is told how many, and can read them from the journal."""

    async def observe(self, events: list[Published]) -> None:
        """Take some events. Raising is reported and otherwise harmless."""
