"""An execution as people see it, from its record and state."""

from __future__ import annotations

from wingbeat.contracts.engine import AttemptView, ExecutionView, NodeView, Summary
from wingbeat.contracts.journal import Record
from wingbeat.machine.state import NodeState, State
from wingbeat.spec.literal import Literals
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import Plan


def execution_view(
    record: Record, plan: Plan, state: State, inputs: Literals, notes: dict[int, str], nodes: bool = True
) -> ExecutionView:
    """All that is known of an execution."""
    return ExecutionView(
        id=record.execution,
        workflow=record.workflow,
        phase=state.phase,
        created_at=record.created_at,
        nodes=[_node(plan, i, node, notes) for i, node in enumerate(state.nodes)] if nodes else [],
        inputs=inputs,
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


def _node(plan: Plan, i: int, node: NodeState, notes: dict[int, str]) -> NodeView:
    task = plan.tasks[plan.nodes[i].task]
    attempts = [
        AttemptView(n, a.phase, a.queued_at, a.started_at, a.ended_at, a.error, a.evidence or {})
        for n, a in enumerate(node.attempts)
    ]
    reason = notes.get(i) or node.reason or node.cache_reason
    if not reason and node.phase is NodePhase.QUEUED and node.retry_at is not None:
        reason = "waiting for its next attempt"
    return NodeView(
        id=plan.nodes[i].id,
        task=task.name,
        phase=node.phase,
        attempts=attempts,
        cache=node.cache or (CacheStatus.DISABLED if task.cache is None else ""),
        reason=reason,
        source=node.source,
        ended_at=node.ended_at,
        outputs=node.outputs,
    )
