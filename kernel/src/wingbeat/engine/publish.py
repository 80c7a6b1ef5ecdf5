"""From facts to what observers and readers see. Pure: the same facts give the same events, live or read from the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from wingbeat.base.ids import child_execution_id
from wingbeat.base.units import counted
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
    Granted,
    ItemsDue,
    Lined,
    NodeEnded,
    NodeSucceeded,
    Opened,
    SignalKept,
    Started,
    Suspended,
    Turned,
    Woke,
)
from wingbeat.machine.graph import Graph, node_of
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, MapKind, ScopeKind
from wingbeat.types import choices, describe


def published(execution: str, graph: Graph, facts: list[Fact], cursor: int) -> list[Published]:
    """One event a fact, numbered from `cursor`. `facts` are the last ones that made `graph` what it is."""
    scope = len(graph.plans) - sum(type(fact) is Opened for fact in facts)
    events: list[Published] = []
    for fact in facts:
        events.append(_event(execution, graph, fact, cursor + len(events), scope))
        scope += type(fact) is Opened
    return events


def _event(execution: str, graph: Graph, fact: Fact, cursor: int, scope: int) -> Published:
    if isinstance(fact, Began | Lined | Turned | Opened | SignalKept):
        return _scope_event(execution, graph, fact, cursor, scope)
    node, what = graph.id(fact.node), what_of(graph, fact.node)
    match fact:
        case AttemptQueued():
            told: dict[str, Any] = {} if fact.chosen is None else {"chosen": fact.chosen}
            if name := graph.nodes[node_of(fact.node)].name:
                told["name"] = name
            return Published(
                execution,
                cursor,
                fact.at,
                "attempt",
                AttemptPhase.QUEUED,
                node,
                fact.attempt,
                task=what,
                evidence=told,
            )
        case Granted() | AttemptStarted():
            entered = AttemptPhase.RUNNING if isinstance(fact, AttemptStarted) else AttemptPhase.INITIALIZING
            told = (fact.evidence or {}) if isinstance(fact, AttemptStarted) else {}
            return Published(
                execution, cursor, fact.at, "attempt", entered, node, fact.attempt, task=what, evidence=told
            )
        case AttemptLost():
            kind, phase = (
                ("attempt", AttemptPhase.RETRYABLE_FAILED.value) if fact.retry_at is not None else ("node", fact.phase)
            )
            reason = fact.error.message
            return Published(
                execution, cursor, fact.at, kind, phase, node, fact.attempt, reason, task=what, error=as_told(fact.error)
            )  # fmt: skip
        case NodeSucceeded():
            taken = fact.attempt < 0 and bool(fact.source) and graph.task(fact.node) is not None
            phase = NodePhase.RECOVERED if taken and fact.cache != CacheStatus.HIT else NodePhase.SUCCEEDED
            return Published(
                execution, cursor, fact.at, "node", phase, node, max(fact.attempt, 0), cache=fact.cache, task=what
            )
        case NodeEnded():
            return Published(execution, cursor, fact.at, "node", fact.phase, node, reason=fact.reason, task=what)
        case CacheSaid():
            return Published(
                execution, cursor, 0.0, "cache", fact.status, node, reason=fact.reason, cache=fact.status, task=what
            )
        case CancelDecided():
            return Published(
                execution, cursor, fact.at, "attempt", "CANCELLING", node, fact.attempt, fact.reason, task=what
            )
        case Started() | Chose() | Expanded():
            reason, evidence = _holding(graph, fact, execution)
            return Published(
                execution, cursor, fact.at, "node", NodePhase.RUNNING, node, reason=reason, task=what, evidence=evidence
            )
        case ItemsDue():
            upto = f"up to {fact.upto}"
            return Published(execution, cursor, 0.0, "items", NodePhase.RUNNING, node, reason=upto, task=what)
        case Suspended() | Woke() | BodyEnded():
            return Published(execution, cursor, fact.at, "node", NodePhase.DYNAMIC_RUNNING, node, task=what)


def _scope_event(
    execution: str, graph: Graph, fact: Began | Lined | Turned | Opened | SignalKept, cursor: int, scope: int
) -> Published:
    match fact:
        case Began():
            return Published(execution, cursor, fact.at, "execution", ExecutionPhase.RUNNING, task=graph.plan.name)
        case Lined():
            waits = f"waiting for limit {fact.limit.name!r}"
            return Published(
                execution, cursor, fact.at, "execution", ExecutionPhase.QUEUED, reason=waits, task=graph.plan.name
            )
        case Turned():
            kind = "execution" if fact.scope == 0 else "scope"
            return Published(
                execution, cursor, fact.at, kind, fact.phase, graph.prefix(fact.scope), reason=fact.reason,
                task=graph.plans[fact.scope].name, error=as_told(fact.error),
            )  # fmt: skip
        case Opened():
            plan = graph.plans[scope]
            return Published(
                execution, cursor, fact.at, "scope", ExecutionPhase.RUNNING, graph.prefix(scope), task=plan.name,
                evidence={"nodes": len(plan.nodes)},
            )  # fmt: skip
        case SignalKept():
            return Published(execution, cursor, fact.at, "signal", "SIGNALLED", reason=fact.name)


def _holding(graph: Graph, fact: Started | Chose | Expanded, execution: str) -> tuple[str, dict[str, Any]]:
    """What a node that holds no process waits for, in words, and what it is."""
    if isinstance(fact, Expanded):
        return counted(fact.count, "item"), {"items": fact.count}
    kind = graph.kind(fact.node)
    if isinstance(fact, Chose):
        assert isinstance(kind, BranchKind)
        base = graph.base_of(fact.node)
        others = [i for arm, members in enumerate(kind.inside) if arm != fact.arm for i in members]
        return "", {"arm": fact.arm, "skipped": [graph.id(base + i) for i in others]}
    if isinstance(kind, GateKind):
        return gate_reason(kind), gate_evidence(kind)
    child = child_execution_id(execution, graph.id(fact.node))
    return f"execution {child}", {"child": child}


def gate_reason(kind: GateKind) -> str:
    """For what a gate waits."""
    if kind.spec.gate == "sleep":
        return "sleeping"
    return f"waiting for {'approval' if kind.spec.gate == 'approve' else 'input'} {kind.spec.name!r}"


def gate_evidence(kind: GateKind) -> dict[str, Any]:
    """What answers a gate; of one that only sleeps, nothing does."""
    if kind.spec.gate == "sleep":
        return {"gate": ""}
    approval = kind.spec.gate == "approve"
    if approval:
        return {"gate": kind.spec.name, "approval": True, "type": ""}
    type_ = kind.spec.interface.outputs[0].type
    said = {"gate": kind.spec.name, "approval": False, "type": describe(type_)}
    return {**said, "choices": list(few)} if (few := choices(type_)) else said


def what_of(graph: Graph, address: int) -> str:
    """What a node calls, or is."""
    task = graph.task(address)
    if task is not None:
        return task.name
    match graph.kind(address):
        case MapKind(plan=plan, child=child):
            return child.launchplan.name if child is not None else plan.name if plan is not None else ""
        case BranchKind():
            return "branch"
        case GateKind(spec=spec):
            if spec.gate == "sleep":
                return "sleep"
            return f"{'approve' if spec.gate == 'approve' else 'wait for'} {spec.name}"
        case ScopeKind(plan=plan):
            return plan.name
        case ChildKind(launchplan=launchplan):
            return launchplan.name
        case _:
            return ""


def as_told(error: ErrorInfo | None) -> dict[str, Any] | None:
    """An error as plain data."""
    return None if error is None else msgspec.to_builtins(error)
