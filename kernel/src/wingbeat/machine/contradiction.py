"""Whether an answer contradicts the one that its gate has had, or repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.spec.literal import Inline, Literal, Offloaded
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import GateKind, MapKind, Plan, ScopeKind
from wingbeat.types.containers import canonical
from wingbeat.types.errors import shown

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine
    from wingbeat.spec.entities import GateSpec


def contradiction(m: Machine, name: str, value: Literal) -> str:
    """Why `value` cannot count beside an earlier answer to `name`, a gate's or its node's id; empty if it can.

    Who waits takes any answer, and what was taken binds only where no other gate of that name can come.
    """
    taken = _bound(m, name)
    if taken is not None:
        if not taken or any(_same(value, answer) for answer in taken):
            return ""
        return f"{name!r} was answered already, with {_told(taken[-1])}."
    if any(number in m.state.gates for number in _gates(m, name)[0]):
        return ""
    kept = m.state.signals.get(name)
    if kept is None or _same(value, kept):
        return ""
    return f"{name!r} was answered already, with {_told(kept)}, which is kept until the gate comes."


def repeats(m: Machine, name: str, value: Literal) -> bool:
    """Whether `value` is what `name`, a gate's or its node's id, was answered before, where no other of that name can come."""
    return any(_same(value, answer) for answer in _bound(m, name) or ())


def _bound(m: Machine, name: str) -> list[Literal] | None:
    """The answers that the gates of that name have taken; None where one of them waits or is still to come."""
    gates, by_id = _gates(m, name)
    over = bool(gates) and all(m.state.nodes[number].phase.terminal for number in gates)
    if not over or not (by_id or m.state.phase.terminal or not _may_come(m, name)):
        return None
    return [answer for number in gates if (answer := _taken(m, number)) is not None]


def _gates(m: Machine, name: str) -> tuple[list[int], bool]:
    """The gates that are there of that node id or, else, of that name; and whether it was the id."""
    nodes, found = m.graph.nodes, m.graph.find(name)
    if found is not None and isinstance(m.graph.kind(found), GateKind):
        return [found], True
    named = [n for n, node in enumerate(nodes) if isinstance(node.kind, GateKind) and node.kind.spec.name == name]
    return [n for n in named if _spec(m, n).gate != "sleep"], False


def _spec(m: Machine, number: int) -> GateSpec:
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, GateKind)
    return kind.spec


def _taken(m: Machine, number: int) -> Literal | None:
    """What a gate that has ended was answered; None if nobody did."""
    node, approval = m.state.nodes[number], _spec(m, number).gate == "approve"
    if node.phase is NodePhase.SUCCEEDED:
        return Inline(True) if approval else next(iter((node.outputs or {}).values()), None)
    rejected = approval and node.phase is NodePhase.FAILED and node.began_at is not None
    return Inline(False) if rejected else None


def _may_come(m: Machine, name: str) -> bool:
    """Whether nodes that are not there yet may be gates of that name: of items and of scopes. What a body will ask is not known:
    it is answered when it waits."""
    state, graph = m.state, m.graph
    for number, node in enumerate(graph.nodes):
        if state.nodes[number].phase.terminal:
            continue
        kind = node.kind
        if isinstance(kind, ScopeKind):
            if number not in graph.inside and _declares(kind.plan, name):
                return True
        elif isinstance(kind, MapKind) and kind.plan is not None:
            mapping = state.maps.get(number)
            started = mapping is not None and mapping.upto >= mapping.total and not mapping.looking
            if not started and _declares(kind.plan, name):
                return True
    return any(
        plan.handler is not None and scope.handler < 0 and not scope.phase.terminal and _declares(plan.handler, name)
        for plan, scope in zip(graph.plans, state.scopes, strict=True)
    )


def _declares(plan: Plan, name: str) -> bool:
    """Whether something in a plan is a gate of that name."""
    for node in plan.nodes:
        kind = node.kind
        if isinstance(kind, GateKind):
            if kind.spec.gate != "sleep" and kind.spec.name == name:
                return True
        elif isinstance(kind, ScopeKind | MapKind) and kind.plan is not None and _declares(kind.plan, name):
            return True
    return plan.handler is not None and _declares(plan.handler, name)


def _same(one: Literal, other: Literal) -> bool:
    if isinstance(one, Inline) and isinstance(other, Inline):
        return canonical(one.value) == canonical(other.value)  # to Python, True is 1
    if isinstance(one, Offloaded) and isinstance(other, Offloaded):
        return one.digest == other.digest
    return one == other


def _told(answer: Literal) -> str:
    if isinstance(answer, Inline):
        return shown(answer.value)
    return f"a value of {answer.size} bytes" if isinstance(answer, Offloaded) else "another value"
