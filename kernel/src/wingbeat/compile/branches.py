"""Checks of branches: what conditions compare, and who may use what is inside an arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wingbeat.spec.conditions import mode
from wingbeat.spec.entities import (
    AllOf,
    AnyOf,
    Arm,
    BranchSpec,
    Compare,
    Condition,
    Input,
    Interface,
    NodeSpec,
    Not,
    Operand,
    Value,
)
from wingbeat.types import LiteralType, Simple, ValueMismatch, describe


class Arms:
    """Who sees whom: a node inside an arm is there for its own arm only, since it may be skipped.

    Args:
        nodes: By id, in the order of the calls; may still grow.
    """

    def __init__(self, nodes: Mapping[str, NodeSpec]) -> None:
        self._nodes = nodes
        self._order: dict[str, int] = {}

    def wrong(self, arm: Arm) -> str:
        """What is wrong with belonging to `arm`; empty if nothing is."""
        branch = self._nodes.get(arm.branch)
        if branch is None or not isinstance(branch.kind, BranchSpec):
            return f"belongs to an arm of {arm.branch!r}, which is no earlier branch"
        return (
            ""
            if 0 <= arm.case < len(branch.kind.cases)
            else f"belongs to arm {arm.case} of {arm.branch!r}, which has none"
        )

    def hidden(self, node: str, place: Arm | None) -> str:
        """Why what stands in `place` may not use `node`; empty if it may."""
        arm = self._nodes[node].arm
        seen = arm is None
        while place is not None:
            if place.branch == node:
                return f"{node} is the branch that it is inside of"
            seen = seen or place == arm
            place = self._nodes[place.branch].arm
        return "" if seen else f"{node} is inside an arm of the branch {arm.branch if arm else ''}, and may be skipped"

    def hidden_to_case(self, node: str, arm: Arm) -> str:
        """Why the outputs of an arm may not come from `node`: it may be skipped, or comes after the branch."""
        if len(self._order) < len(self._nodes):
            self._order = {name: i for i, name in enumerate(self._nodes)}
        if self._order[node] > self._order[arm.branch] and self._nodes[node].arm != arm:
            return f"{node} is not inside that arm"
        return self.hidden(node, arm)


def condition_findings(condition: Condition, interface: Interface, where: str) -> Iterator[str]:
    """What is wrong with a condition on the inputs of a branch."""
    match condition:
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from condition_findings(part, interface, where)
        case Not():
            yield from condition_findings(condition.condition, interface, where)
        case Input():
            type_ = _type(condition, interface)
            if type_ != Simple("bool"):
                what = "nothing" if type_ is None else describe(type_)
                yield f"a condition has to be a bool, but is {what}{where}; compare it with something."
        case Compare():
            yield from _compare(condition, interface, where)


def _compare(condition: Compare, interface: Interface, where: str) -> Iterator[str]:
    operands = (condition.left, condition.right)
    types = [_type(o, interface) for o in operands if isinstance(o, Input)]
    if None in types:
        yield f"a condition compares an input that the branch does not have{where}."
        return
    known = [t for t in types if t is not None]
    values = [o for o in operands if isinstance(o, Value)]
    try:
        by = mode(condition.op, known[0], known[-1]) if known else condition.by
    except ValueMismatch as error:
        yield f"{error}{where}."
        return
    null = any(value.value is None for value in values) and condition.op in ("eq", "ne")
    if by != condition.by and not (null and condition.by == "plain"):
        yield f"a condition compares {describe(known[0])} by {condition.by!r}, which is compared by {by!r}{where}."


def _type(operand: Operand, interface: Interface) -> LiteralType | None:
    variable = interface.input(operand.name) if isinstance(operand, Input) else None
    return variable.type if variable is not None else None
