"""Which gate an answer is for, and of what type it has to be. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.contracts.engine import ExecutionView, GateView
from wingbeat.spec.entities import Closure, GateSpec, LaunchPlanSpec, WorkflowSpec
from wingbeat.types import Simple


def gate_of(view: ExecutionView, closure: Closure, name: str) -> GateView:
    """The gate `name`, which waits, is still to come, or has been answered: whether the same is said once more, its engine knows.

    Raises:
        NotFound: The execution has no such gate.

        ConflictError: Several of that name wait, or the execution has ended and never had one.
    """
    begun = [(node, node.gate) for node in view.nodes if node.gate is not None]
    waiting = [(node.id, gate) for node, gate in begun if not node.phase.terminal]
    for node, gate in begun:
        if node.id == name:
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
    answered = [gate for _, gate in begun if gate.name == name]
    if answered:
        return answered[-1]
    if view.phase.terminal:
        raise ConflictError(f"Execution {view.id!r} has ended ({view.phase.value}); nothing waits for {name!r}.")
    if any(node.id == name and node.phase.terminal for node in view.nodes):
        raise ConflictError(f"{name!r} of execution {view.id!r} has ended; it waits for nothing.")
    names = ", ".join(dict.fromkeys(repr(gate.name) for _, gate in waiting)) or "nothing"
    hint = f"It waits for {names}."
    if any(spec.name == name for spec in _declared(closure, children=True)):
        hint += (
            f" A child execution has a gate {name!r}: answer that one by its own id, which"
            f" `wingbeat explain waiting {view.id}` names."
        )
    raise NotFound(f"Execution {view.id!r} has no gate {name!r}.", hint=hint)


def _declared(closure: Closure, *, children: bool = False) -> Iterator[GateSpec]:
    """The gates of the workflows that run within the execution, or also those of its `children`: behind launch plans."""
    reached, ahead = {closure.root}, [closure.root]
    while ahead:
        entity = closure.entities[ahead.pop()]
        if isinstance(entity, WorkflowSpec):
            for node in entity.nodes:
                if isinstance(node.kind, GateSpec) and node.kind.gate != "sleep":
                    yield node.kind
        if isinstance(entity, WorkflowSpec) or (children and isinstance(entity, LaunchPlanSpec)):
            further = [digest for digest in entity.calls if digest not in reached]
            reached.update(further)
            ahead += further
