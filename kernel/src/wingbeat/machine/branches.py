"""Branches: one of several arms runs, the nodes of the others are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wingbeat.machine.effect import Load
from wingbeat.machine.fact import Chose, NodeSucceeded
from wingbeat.machine.values import resolve
from wingbeat.spec.conditions import evaluate
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import BranchKind
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine


def start(m: Machine, number: int, kind: BranchKind, at: float) -> None:
    """Decide which arm is taken; a condition that cannot be told fails the branch.

    Raises:
        ValueMismatch: An input cannot be taken.
    """
    values = _operands(m, number)
    if values is None:
        m.ask(Load(number))
        return
    try:
        arm = next((i for i, when in enumerate(kind.conditions) if when is None or evaluate(when, values)), None)
    except ValueMismatch as untold:
        m.end(number, NodePhase.FAILED, ErrorInfo("ConditionError", f"The condition {untold}.", retryable=False), at)
        return
    if arm is None:
        error = ErrorInfo("NoBranchTaken", "No condition holds, and there is no default.", retryable=False)
        m.end(number, NodePhase.FAILED, error, at)
        return
    m.say(Chose(number, arm, at))
    m.loaded.pop(number, None)
    base, waits = m.graph.base_of(number), m.state.waits
    members = [base + i for i in kind.members[arm]]
    if not members:
        joined(m, number, at)
        return
    m.start([i for i in members if not waits[i] and m.state.nodes[i].phase is NodePhase.NOT_STARTED], at)


def joined(m: Machine, number: int, at: float) -> None:
    """Every node of the arm has succeeded: so has the branch."""
    kind, node = m.graph.nodes[number].kind, m.state.nodes[number]
    assert isinstance(kind, BranchKind)
    scope, base = m.graph.scope_of(number), m.graph.base_of(number)
    inputs = m.state.scopes[scope].inputs if scope else m.inputs
    try:
        outputs = resolve(kind.outputs[node.arm], inputs, lambda n: m.state.nodes[base + n].outputs)
    except ValueMismatch as error:
        failed = ErrorInfo("BindingError", f"What the arm gives cannot be taken: {error}", retryable=False)
        m.end(number, NodePhase.FAILED, failed, at)
        return
    m.say(NodeSucceeded(number, at, outputs))
    m.succeeded(number, at)


def _operands(m: Machine, number: int) -> dict[str, Any] | None:
    """What the conditions compare, in wire form; None if some of it has to be loaded first."""
    loaded, found = m.loaded.get(number, {}), {}
    for name, literal in m.values(number).items():
        if isinstance(literal, Inline):
            found[name] = literal.value
        elif name in loaded:
            found[name] = loaded[name]
        else:
            return None
    return found
