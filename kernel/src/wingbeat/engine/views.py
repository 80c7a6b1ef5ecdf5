"""An execution as people see it, from its record and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wingbeat.contracts.engine import AttemptView, ExecutionView, GateView, ItemsView, NodeView, Summary
from wingbeat.contracts.executor import Progress
from wingbeat.contracts.journal import Record
from wingbeat.machine.state import AttemptState, MapState, NodeState
from wingbeat.machine.step import Machine
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, MapKind, ScopeKind
from wingbeat.types import Simple

Advance = Mapping[int, tuple[int, Progress]]
"""By node or item, the number of an attempt that runs and how far it is."""
NONE: Advance = {}


def execution_view(record: Record, machine: Machine, nodes: bool = True, advance: Advance = NONE) -> ExecutionView:
    """All that is known of an execution."""
    state = machine.state
    return ExecutionView(
        id=record.execution,
        workflow=record.workflow,
        phase=state.phase,
        created_at=record.created_at,
        nodes=_nodes(machine, advance) if nodes else [],
        inputs=machine.inputs,
        outputs=state.outputs if state.phase is ExecutionPhase.SUCCEEDED else None,
        reason=state.reason,
        error=state.error if state.phase is not ExecutionPhase.ABORTED else None,
        began_at=state.began_at,
        ended_at=state.ended_at,
        closure=record.closure,
        labels=record.labels,
    )


def summary(record: Record) -> Summary:
    """One line of a list."""
    return Summary(
        id=record.execution,
        workflow=record.workflow,
        phase=ExecutionPhase(record.phase),
        created_at=record.created_at,
        ended_at=record.ended_at,
        labels=record.labels,
    )


def _nodes(machine: Machine, advance: Advance) -> list[NodeView]:
    """Every node, and every item of a map that is under way by itself."""
    nodes, items = enumerate(machine.state.nodes), machine.state.items.items()
    return [_node(machine, address, node, advance.get(address)) for address, node in (*nodes, *items)]


def _node(machine: Machine, address: int, node: NodeState, advance: tuple[int, Progress] | None) -> NodeView:
    graph, state = machine.graph, machine.state
    task = graph.task(address)
    attempts = [_attempt(a, advance) for a in node.attempts]
    reason = machine.notes.get(address) or node.reason or node.cache_reason
    if not reason and node.phase is NodePhase.QUEUED and node.retry_at is not None:
        reason = "waiting for its next attempt"
    mapping = state.maps.get(address)
    return NodeView(
        id=graph.id(address),
        task=_what(machine, address),
        phase=node.phase,
        attempts=attempts,
        cache=node.cache or (CacheStatus.DISABLED if task is None or task.cache is None else ""),
        reason=reason,
        source=node.source,
        ended_at=node.ended_at,
        outputs=node.outputs,
        gate=_gate(machine, address) if address in state.gates else None,
        items=None if mapping is None else _items(mapping),
    )


def _attempt(attempt: AttemptState, advance: tuple[int, Progress] | None) -> AttemptView:
    said: Progress | None = None
    if attempt.ended_at is None:
        if advance is not None and advance[0] == attempt.number:
            said = advance[1]
    else:
        said = _said((attempt.error.evidence if attempt.error is not None else attempt.evidence) or {})
    return AttemptView(
        attempt.number, attempt.phase, attempt.queued_at, attempt.started_at, attempt.ended_at, attempt.error,
        attempt.evidence or {}, said,
    )  # fmt: skip


def _said(evidence: Mapping[str, Any]) -> Progress | None:
    """What an attempt that has ended had said of itself."""
    if "progress" not in evidence and "deck" not in evidence:
        return None
    try:
        return msgspec.convert({**evidence.get("progress", {}), "deck": evidence.get("deck", "")}, Progress)
    except (msgspec.ValidationError, TypeError):  # of an executor that has its own idea of it
        return None


def _what(machine: Machine, address: int) -> str:
    """What a node calls, or is."""
    task = machine.graph.task(address)
    if task is not None:
        return task.name
    match machine.graph.kind(address):
        case MapKind(plan=plan, child=child):
            return child.launchplan.name if child is not None else plan.name if plan is not None else ""
        case BranchKind():
            return "branch"
        case GateKind(spec=spec):
            return (
                "sleep"
                if spec.gate == "sleep"
                else f"{'approve' if spec.gate == 'approve' else 'wait for'} {spec.name}"
            )
        case ScopeKind(plan=plan):
            return plan.name
        case ChildKind(launchplan=launchplan):
            return launchplan.name
        case _:
            return ""


def _gate(machine: Machine, address: int) -> GateView | None:
    kind = machine.graph.kind(address)
    if not isinstance(kind, GateKind) or kind.spec.gate == "sleep":
        return None
    if kind.spec.gate == "approve":
        return GateView(kind.spec.name, Simple("bool"), approval=True)
    return GateView(kind.spec.name, kind.spec.interface.outputs[0].type)


def _items(mapping: MapState) -> ItemsView:
    return ItemsView(mapping.total, mapping.succeeded, mapping.failed, mapping.active, mapping.cached)
