"""An execution as people see it, from its record and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wingbeat.base.ids import child_execution_id
from wingbeat.contracts.engine import (
    AttemptView,
    ExecutionView,
    FailedItem,
    GateView,
    ItemsView,
    NodeView,
    Summary,
)
from wingbeat.contracts.executor import Progress
from wingbeat.contracts.journal import Record
from wingbeat.engine.publish import what_of
from wingbeat.machine import gates
from wingbeat.machine.graph import is_item, node_of
from wingbeat.machine.state import PHASES, AttemptState, MapState, NodeState
from wingbeat.machine.step import Machine
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import ChildKind, GateKind, Kind, MapKind
from wingbeat.types import Simple

FAILED_MAX = 20
"""How many items of a map that failed are named."""
_RUNNING = frozenset({NodePhase.RUNNING, NodePhase.DYNAMIC_RUNNING})
_FAILED = frozenset({NodePhase.FAILED, NodePhase.TIMED_OUT})
Advance = Mapping[int, tuple[int, Progress]]
"""By node or item, the number of an attempt that runs and how far it is."""
NONE: Advance = {}


def execution_view(
    record: Record, machine: Machine, nodes: bool = True, advance: Advance = NONE, waits: str = ""
) -> ExecutionView:
    """All that is known of an execution. `waits`: for what, if it has not begun."""
    state = machine.state
    if not waits and state.lined is not None:
        waits = f"waiting for limit {state.lined.limit.name!r}"
    return ExecutionView(
        id=record.execution,
        workflow=record.workflow,
        phase=state.phase,
        created_at=record.created_at,
        nodes=_nodes(machine, record.execution, advance) if nodes else [],
        inputs=machine.inputs,
        outputs=state.outputs if state.phase is ExecutionPhase.SUCCEEDED else None,
        reason=state.reason or waits,
        error=state.error if state.phase is not ExecutionPhase.ABORTED or state.began_at is None else None,
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


def _nodes(machine: Machine, execution: str, advance: Advance) -> list[NodeView]:
    """Every node, and every item of a map that is under way by itself; of two with one id the inner one, which says more."""
    nodes, items, doubled = enumerate(machine.state.nodes), machine.state.items.items(), machine.graph.doubled
    return [
        _node(machine, address, node, execution, advance.get(address))
        for address, node in (*nodes, *items)
        if not doubled(address)
    ]


def launches(kind: Kind | None, address: int) -> bool:
    """Whether a node or item is an execution of its own."""
    return isinstance(kind, ChildKind) or (isinstance(kind, MapKind) and kind.child is not None and is_item(address))


def _node(
    machine: Machine, address: int, node: NodeState, execution: str, advance: tuple[int, Progress] | None
) -> NodeView:
    graph, state = machine.graph, machine.state
    task = graph.task(address)
    attempts = [_attempt(a, advance) for a in node.attempts]
    reason = machine.notes.get(address) or node.reason or node.cache_reason
    if not reason and node.phase is NodePhase.QUEUED and node.retry_at is not None:
        reason = "waiting for its next attempt"
    if not reason and node.phase is NodePhase.RUNNING and launches(graph.kind(address), address):
        reason = f"waiting for the execution {child_execution_id(execution, graph.id(address))}"
    mapping, phase = state.maps.get(address), node.phase
    if phase is NodePhase.ABORTED and (late := timed_out_around(machine, address)) is not None:
        phase, reason = NodePhase.TIMED_OUT, late.message
    return NodeView(
        id=graph.id(address),
        task=what_of(graph, address),
        phase=phase,
        attempts=attempts,
        cache=node.cache or (CacheStatus.DISABLED if task is None or task.cache is None else ""),
        reason=reason,
        source=node.source,
        ended_at=node.ended_at,
        outputs=node.outputs,
        gate=None if node.began_at is None else _gate(machine, address),
        items=None if mapping is None else _items(machine, address, mapping),
        until=_until(machine, address, node),
        name=graph.nodes[node_of(address)].name,
        of=borrowed.of if task is not None and (borrowed := graph.borrowed(address)) is not None else "",
    )


def timed_out_around(machine: Machine, address: int) -> ErrorInfo | None:
    """That a workflow of one call has timed out, in whose place that call, which has its id, is shown; None if it has not."""
    scope = machine.graph.scope_of(node_of(address))
    if not scope or len(machine.graph.plans[scope].nodes) != 1:
        return None
    around = machine.state.scopes[scope]
    return around.error if around.phase is ExecutionPhase.TIMED_OUT else None


def _until(machine: Machine, address: int, node: NodeState) -> float | None:
    """When it goes on by itself, where it waits for a time."""
    kind, body = machine.graph.kind(address), machine.state.bodies.get(address)
    if address in machine.state.gates and isinstance(kind, GateKind):
        return gates.until(machine, address, kind)
    if body is not None and body.suspended and not node.phase.terminal:
        return body.wake_at
    return node.retry_at if node.phase is NodePhase.QUEUED else None


def _attempt(attempt: AttemptState, advance: tuple[int, Progress] | None) -> AttemptView:
    said: Progress | None = None
    if attempt.ended_at is None:
        if advance is not None and advance[0] == attempt.number:
            said = advance[1]
    else:
        said = _said((attempt.error.evidence if attempt.error is not None else attempt.evidence) or {})
    return AttemptView(
        attempt.number, attempt.phase, attempt.queued_at, attempt.started_at, attempt.ended_at, attempt.error,
        attempt.evidence or {}, said, attempt.chosen or {},
    )  # fmt: skip


def _said(evidence: Mapping[str, Any]) -> Progress | None:
    """What an attempt that has ended had said of itself."""
    if "progress" not in evidence and "deck" not in evidence:
        return None
    try:
        return msgspec.convert({**evidence.get("progress", {}), "deck": evidence.get("deck", "")}, Progress)
    except (msgspec.ValidationError, TypeError):  # of an executor that has its own idea of it
        return None


def _gate(machine: Machine, address: int) -> GateView | None:
    kind = machine.graph.kind(address)
    if not isinstance(kind, GateKind) or kind.spec.gate == "sleep":
        return None
    if kind.spec.gate == "approve":
        return GateView(kind.spec.name, Simple("bool"), approval=True)
    return GateView(kind.spec.name, kind.spec.interface.outputs[0].type)


def _items(machine: Machine, address: int, mapping: MapState) -> ItemsView:
    """Counts, and which items failed. The reason is kept of the first one that did; the others' are in the journal."""
    items = machine.state.items
    running = sum(items[i].phase in _RUNNING for i in mapping.live if i in items)
    failed: list[FailedItem] = []
    for item, phase in enumerate(mapping.phases if mapping.failed else b""):
        if PHASES[phase] in _FAILED:
            first = mapping.first_error if item == mapping.first_failed else None
            failed.append(FailedItem(item, "" if first is None else first.message))
            if len(failed) == FAILED_MAX:
                break
    return ItemsView(
        mapping.total, mapping.succeeded, mapping.failed, running, mapping.cached, mapping.active - running, failed
    )
