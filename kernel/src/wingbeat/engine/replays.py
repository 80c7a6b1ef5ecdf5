"""What the body of a dynamic workflow is told: its calls and what became of them, out of the state. Pure."""

from __future__ import annotations

from wingbeat.contracts.executor import Kept, Made, Recorded, Replay
from wingbeat.machine.state import Scope
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import short_or_digest
from wingbeat.spec.outcome import ABORTED, ErrorInfo
from wingbeat.spec.phase import ExecutionPhase


def replay_of(machine: Machine, address: int) -> Replay:
    """For the next turn of the body of a node or item."""
    state = machine.state
    body, node = state.bodies[address], state.node(address)
    made = tuple(
        Made(key, state.scopes[number].template, short_or_digest(state.scopes[number].inputs))
        for key, number in body.calls.items()
    )
    history = tuple(
        Recorded(entry) if isinstance(entry, float) else _recorded(machine, entry)
        for entry in body.history[: body.seen]
    )
    kept = tuple(_kept(key, state.scopes[number]) for key, number in body.kept.items())
    began_at = node.began_at if body.began_at is None else body.began_at
    task = machine.graph.task(address)
    assert task is not None
    return Replay(began_at or 0.0, made, history, task.references, node.user_failures, kept)


def _kept(key: str, scope: Scope) -> Kept:
    return Kept(key, scope.template, short_or_digest(scope.inputs), scope.outputs or {})


def _recorded(machine: Machine, number: int) -> Recorded:
    scope = machine.state.scopes[number]
    at = scope.ended_at or 0.0
    if scope.phase is ExecutionPhase.SUCCEEDED:
        return Recorded(at, scope.key, scope.outputs)
    return Recorded(at, scope.key, error=scope.error or ErrorInfo(ABORTED, scope.reason, retryable=False))
