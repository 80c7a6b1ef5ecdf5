"""From facts to what observers and readers see. Pure: the same facts give the same events, live or read from the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from wingbeat.contracts.observer import Published
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    AttemptStarted,
    Began,
    BodyEnded,
    CacheSaid,
    CancelDecided,
    Chose,
    Expanded,
    Fact,
    ItemsDue,
    NodeEnded,
    NodeSucceeded,
    Opened,
    SignalKept,
    Started,
    Suspended,
    Turned,
    Woke,
)
from wingbeat.machine.graph import Graph
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase


def published(execution: str, graph: Graph, facts: list[Fact], cursor: int) -> list[Published]:
    """One event a fact, numbered from `cursor`. `graph` has all nodes that the facts name."""
    return [_event(execution, graph, fact, cursor + i) for i, fact in enumerate(facts)]


def _event(execution: str, graph: Graph, fact: Fact, cursor: int) -> Published:
    match fact:
        case Began():
            return Published(execution, cursor, fact.at, "execution", ExecutionPhase.RUNNING)
        case Turned():
            kind = "execution" if fact.scope == 0 else "scope"
            return Published(
                execution, cursor, fact.at, kind, fact.phase, graph.prefix(fact.scope), reason=fact.reason,
                error=_error(fact.error),
            )  # fmt: skip
        case Opened():
            node = graph.id(fact.parent) if fact.parent >= 0 else ""
            return Published(execution, cursor, fact.at, "scope", ExecutionPhase.RUNNING, node, reason=fact.key)
        case SignalKept():
            return Published(execution, cursor, fact.at, "signal", "SIGNALLED", reason=fact.name)
    node = graph.id(fact.node)
    match fact:
        case AttemptQueued():
            return Published(execution, cursor, fact.at, "attempt", AttemptPhase.QUEUED, node, fact.attempt)
        case AttemptStarted():
            evidence = fact.evidence or {}
            return Published(
                execution, cursor, fact.at, "attempt", AttemptPhase.RUNNING, node, fact.attempt, evidence=evidence
            )
        case AttemptLost():
            kind, phase = (
                ("attempt", AttemptPhase.RETRYABLE_FAILED.value) if fact.retry_at is not None else ("node", fact.phase)
            )
            reason = fact.error.message
            return Published(
                execution, cursor, fact.at, kind, phase, node, fact.attempt, reason, error=_error(fact.error)
            )
        case NodeSucceeded():
            recovered = fact.attempt < 0 and fact.cache != CacheStatus.HIT
            phase = NodePhase.RECOVERED if recovered else NodePhase.SUCCEEDED
            return Published(execution, cursor, fact.at, "node", phase, node, max(fact.attempt, 0), cache=fact.cache)
        case NodeEnded():
            return Published(execution, cursor, fact.at, "node", fact.phase, node, reason=fact.reason)
        case CacheSaid():
            return Published(execution, cursor, 0.0, "cache", fact.status, node, reason=fact.reason, cache=fact.status)
        case CancelDecided():
            return Published(execution, cursor, fact.at, "attempt", "CANCELLING", node, fact.attempt, fact.reason)
        case Started() | Chose():
            return Published(execution, cursor, fact.at, "node", NodePhase.RUNNING, node)
        case Expanded():
            return Published(execution, cursor, fact.at, "node", NodePhase.RUNNING, node, reason=f"{fact.count} items")
        case ItemsDue():
            return Published(execution, cursor, 0.0, "items", NodePhase.RUNNING, node, reason=f"up to {fact.upto}")
        case Suspended() | Woke() | BodyEnded():
            return Published(execution, cursor, fact.at, "node", NodePhase.DYNAMIC_RUNNING, node)


def _error(error: ErrorInfo | None) -> dict[str, Any] | None:
    return None if error is None else msgspec.to_builtins(error)
