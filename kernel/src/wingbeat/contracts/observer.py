"""Observers: told what became true, after it is durable."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct


class Published(Struct, frozen=True, omit_defaults=True):
    """One thing that happened, in the order of the journal of its execution.

    Attributes:
        cursor: Number of the event within the execution; a reader that resumes asks for what is behind its last one.

        kind: ``execution``, ``node``, ``attempt``, ``cache``.

        phase: The phase that was entered.
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
    error: dict[str, Any] | None = None
    evidence: dict[str, Any] = {}


class Observer(Protocol):
    """Receives every event, at least once, in order for each execution. Its queue is bounded; what is too slow misses
    events, is told how many, and can read them from the journal."""

    async def observe(self, events: list[Published]) -> None:
        """Take some events. Raising is reported and otherwise harmless."""
