"""What observers are told of an execution that an earlier kernel began: they know nothing of what was before.

Pure. It is made of the state, not of the facts, so that it is no longer than what is in memory anyway; of the items of a map, only
those that are under way are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wingbeat.base.ids import child_execution_id
from wingbeat.contracts.observer import Published
from wingbeat.engine.publish import as_told, what_of
from wingbeat.engine.views import launches
from wingbeat.machine.state import AttemptState, NodeState
from wingbeat.machine.step import Machine
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase


def told_again(execution: str, machine: Machine) -> list[Published]:
    """That it runs, the scopes that are open, and its nodes and attempts, those that have ended too."""
    state, graph = machine.state, machine.graph
    lined = state.lined.at if state.lined is not None else 0.0
    phase, at = (ExecutionPhase.QUEUED, lined) if state.began_at is None else (ExecutionPhase.RUNNING, state.began_at)
    events = [Published(execution, -1, at, "execution", phase, task=graph.plan.name, again=True)]
    for number, scope in enumerate(state.scopes[1:], 1):
        if not scope.phase.terminal:
            name, at = graph.plans[number].name, scope.began_at or 0.0
            events.append(
                Published(execution, -1, at, "scope", ExecutionPhase.RUNNING, scope.prefix, task=name, again=True)
            )
    for address, node in (*enumerate(state.nodes), *state.items.items()):
        if node.phase not in (NodePhase.NOT_STARTED, NodePhase.SKIPPED):
            events += _node(execution, machine, address, node)
    return events


def _node(execution: str, machine: Machine, address: int, node: NodeState) -> Iterator[Published]:
    id, what = machine.graph.id(address), what_of(machine.graph, address)

    def event(at: float, kind: str, phase: str, number: int = 0, **more: Any) -> Published:
        return Published(execution, -1, at, kind, phase, id, number, task=what, again=True, **more)

    if node.began_at is not None:
        mapping, child = machine.state.maps.get(address), launches(machine.graph.kind(address), address)
        evidence = {"child": child_execution_id(execution, id)} if child else {}
        phase = NodePhase.DYNAMIC_RUNNING if address in machine.state.bodies else NodePhase.RUNNING
        yield event(node.began_at, "node", phase, evidence=evidence if mapping is None else {"items": mapping.total})
    for attempt in node.attempts:
        yield event(attempt.queued_at, "attempt", AttemptPhase.QUEUED, attempt.number)
        if attempt.started_at is not None:
            running, evidence = AttemptPhase.RUNNING, attempt.evidence or {}
            yield event(attempt.started_at, "attempt", running, attempt.number, evidence=evidence)
        if attempt.ended_at is not None and attempt.phase is AttemptPhase.RETRYABLE_FAILED:
            reason, error = _why(attempt)
            yield event(attempt.ended_at, "attempt", attempt.phase, attempt.number, reason=reason, error=error)
    if node.phase.terminal:
        last = node.attempts[-1] if node.attempts else None
        reason, error = _why(last) if last is not None and not node.phase.success else (node.reason, None)
        number, at = last.number if last is not None else 0, node.ended_at or 0.0
        yield event(at, "node", node.phase, number, reason=reason, error=error, cache=node.cache)


def _why(attempt: AttemptState) -> tuple[str, dict[str, Any] | None]:
    return attempt.error.message if attempt.error is not None else "", as_told(attempt.error)
