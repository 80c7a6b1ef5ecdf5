"""Whether an answer contradicts the one that its gate has had."""

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
    gates, by_id = _gates(m, name)
    if any(number in m.state.gates for number in gates):
        return ""
    over = bool(gates) and all(m.state.nodes[number].phase.terminal for number in gates)
    if over and (by_id or not _may_come(m, name)):
        taken = [answer for number in gates if (answer := _taken(m, number)) is not None]
        if not taken or any(_same(value, answer) for answer in taken):
            return ""
        return f"{name!r} was answered already, with {_told(taken[-1])}."
    kept = m.state.signals.get(name)
    if kept is None or _same(value, kept):
        return ""
    return f"{name!r} was answered already, with {_told(kept)}, which is kept until the gate comes."


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
    """Whether nodes that are not there yet may be gates of that name: of items, of scopes, of what a body calls."""
    state, graph = m.state, m.graph
    for number, node in enumerate(graph.nodes):
        if state.nodes[number].phase.terminal:
            continue
        task, kind = graph.task(number), node.kind
        if task is not None:
            body = state.bodies.get(number)
            if task.dynamic and (body is None or not body.ended):
                return True
        elif isinstance(kind, ScopeKind):
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
    """Whether something in a plan is a gate of that name, or may call one."""
    for node in plan.nodes:
        kind = node.kind
        if node.task >= 0:
            if plan.tasks[node.task].dynamic:
                return True
        elif isinstance(kind, GateKind):
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
