"""Which gate an answer is for, and of what type it has to be. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.contracts.engine import ExecutionView, GateView
from wingbeat.spec.entities import Closure, GateSpec, WorkflowSpec
from wingbeat.types import Simple


def gate_of(view: ExecutionView, closure: Closure, name: str) -> GateView:
    """The gate `name`, which waits or is still to come.

    Raises:
        NotFound: The execution has no such gate.

        ConflictError: Several of that name wait, or the execution has ended.
    """
    if view.phase.terminal:
        raise ConflictError(f"Execution {view.id!r} has ended ({view.phase.value}); nothing waits for {name!r}.")
    waiting = [(node.id, node.gate) for node in view.nodes if node.gate is not None]
    for id, gate in waiting:
        if id == name:
            return gate
    named = [(id, gate) for id, gate in waiting if gate.name == name]
    if len(named) > 1:
        ids = ", ".join(id for id, _ in named[:20])
        raise ConflictError(f"Several gates of {view.id} wait for {name!r}.", hint=f"Name one by its node: {ids}.")
    if named:
        return named[0][1]
    for spec in _declared(closure):
        if spec.name == name:
            approval = spec.gate == "approve"
            return GateView(name, Simple("bool") if approval else spec.interface.outputs[0].type, approval)
    names = ", ".join(dict.fromkeys(repr(gate.name) for _, gate in waiting)) or "nothing"
    raise NotFound(f"Execution {view.id!r} has no gate {name!r}.", hint=f"It waits for {names}.")


def _declared(closure: Closure) -> Iterator[GateSpec]:
    for entity in closure.entities.values():
        if isinstance(entity, WorkflowSpec):
            for node in entity.nodes:
                if isinstance(node.kind, GateSpec) and node.kind.gate != "sleep":
                    yield node.kind
