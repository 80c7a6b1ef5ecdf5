"""What authors wrote, read without the machine: where each value of a node comes from, and which arm a branch takes.

A `Book` stands beside a plan and takes from it the numbers of the nodes alone: what they are given it reads in the workflows as
they were written, with sub-workflows still in their places.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from wingbeat.compile.handlers import handling
from wingbeat.spec.entities import (
    AllOf,
    AnyOf,
    Binding,
    BranchSpec,
    Closure,
    Compare,
    Condition,
    Constant,
    FailurePolicy,
    FormulaInput,
    GateSpec,
    Given,
    Input,
    LaunchPlanSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    Not,
    Number,
    Operand,
    Operation,
    Promise,
    TaskSpec,
    Text,
    WorkflowSpec,
)
from wingbeat.spec.literal import Inline, Literal, LiteralList, LiteralMap, Literals
from wingbeat.spec.plan import MapKind, Plan, ScopeKind

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
_IMMEDIATELY = FailurePolicy.FAIL_IMMEDIATELY


class Known:
    """What a scope's values are read from: its inputs, and by number what its nodes gave."""

    def __init__(self, inputs: Literals, base: int, node: Callable[[int, str], Literal]) -> None:
        self.inputs, self.base, self.node = inputs, base, node


Read = Callable[[Known], Literal]
Reads = dict[str, Read]


class Site(Struct):
    """A node where it was written.

    Attributes:
        reads: Where each input comes from, defaults with them.

        task: What it calls, if that is a task.

        arms: By arm of a branch, where its outputs come from.

        callee: The workflow that it runs apart, if it does.

        child: Whether what it calls is an execution of its own.
    """

    spec: NodeSpec
    reads: Reads
    task: TaskSpec | None = None
    arms: tuple[Reads, ...] = ()
    callee: WorkflowSpec | None = None
    child: bool = False


class Book:
    """One plan, as it was written.

    Attributes:
        sites: By number in the plan.

        outputs: Where those of the workflow come from.
    """

    def __init__(self, plan: Plan, closure: Closure, workflow: WorkflowSpec) -> None:
        self.plan, self.closure, self.workflow = plan, closure, workflow
        self.immediate = (workflow.failure_policy or _IMMEDIATELY) is _IMMEDIATELY
        self.sites: dict[int, Site] = {}
        self._inside: dict[int, Book] = {}
        self._handler: Book | None = None
        top = _Frame(self, workflow, "", {v.name: _of_input(v.name) for v in workflow.interface.inputs})
        self.outputs: Reads = {name: top.read(binding) for name, binding in workflow.outputs.items()}

    def inside(self, number: int) -> Book:
        """Of what a node, or each of its items, runs apart."""
        found = self._inside.get(number)
        if found is None:
            callee, kind = self.sites[number].callee, self.plan.nodes[number].kind
            assert isinstance(kind, MapKind | ScopeKind)
            assert kind.plan is not None
            assert callee is not None
            found = self._inside[number] = Book(kind.plan, self.closure, callee)
        return found

    def handler(self) -> Book:
        """Of what runs when it has failed."""
        if self._handler is None:
            assert self.plan.handler is not None
            self._handler = Book(self.plan.handler, self.closure, handling(self.closure, self.workflow))
        return self._handler


class _Frame:
    """The names inside one workflow, with what it is given there."""

    def __init__(self, book: Book, workflow: WorkflowSpec, prefix: str, given: Reads) -> None:
        self.book, self.workflow, self.prefix, self.given = book, workflow, prefix, given
        self._inline: dict[str, _Frame] = {}
        for node in workflow.nodes:
            self._enter(node)
        for node in workflow.nodes:
            if isinstance(node.kind, BranchSpec):
                site = book.sites[book.plan.index[prefix + node.id]]
                site.arms = tuple(self.reads(case.outputs) for case in node.kind.cases)

    def _enter(self, node: NodeSpec) -> None:
        book, path = self.book, self.prefix + node.id
        if isinstance(node.kind, BranchSpec | GateSpec):
            callee, interface = None, node.kind.interface
        else:
            callee = book.closure.entities[self.workflow.calls[node.call]]
            interface = callee.interface
        reads: Reads = {
            v.name: self.read(node.inputs[v.name]) if v.name in node.inputs else _always(Inline(v.default))
            for v in interface.inputs
        }
        number = book.plan.index.get(path)
        if number is None:
            assert isinstance(callee, WorkflowSpec)
            self._inline[node.id] = _Frame(book, callee, f"{path}.", reads)
            return
        book.sites[number] = Site(
            node,
            reads,
            callee if isinstance(callee, TaskSpec) else None,
            callee=callee if isinstance(callee, WorkflowSpec) else None,
            child=isinstance(callee, LaunchPlanSpec),
        )

    def reads(self, bindings: dict[str, Binding]) -> Reads:
        return {name: self.read(binding) for name, binding in bindings.items()}

    def read(self, binding: Binding) -> Read:
        match binding:
            case Constant():
                return _always(Inline(binding.value))
            case ListBinding():
                return _list([self.read(item) for item in binding.items])
            case MapBinding():
                return _map({key: self.read(item) for key, item in binding.items.items()})
            case Promise():
                assert not binding.path, "simulated workflows bind whole values"
                if not binding.node:
                    return self.given[binding.output]
                inner = self._inline.get(binding.node)
                if inner is not None:
                    return inner.read(inner.workflow.outputs[binding.output])
                return _of_node(self.book.plan.index[self.prefix + binding.node], binding.output)


def _always(value: Literal) -> Read:
    return lambda known: value


def _of_input(name: str) -> Read:
    return lambda known: known.inputs[name]


def _of_node(number: int, output: str) -> Read:
    return lambda known: known.node(known.base + number, output)


def _list(items: list[Read]) -> Read:
    return lambda known: listed([item(known) for item in items])


def _map(items: Reads) -> Read:
    def read(known: Known) -> Literal:
        found = {key: item(known) for key, item in items.items()}
        plain = {key: value.value for key, value in found.items() if isinstance(value, Inline)}
        return Inline(plain) if len(plain) == len(found) else LiteralMap(found)

    return read


def listed(items: list[Literal]) -> Literal:
    """A list of values as one value: inline if all of them are."""
    plain = [item.value for item in items if isinstance(item, Inline)]
    return Inline(plain) if len(plain) == len(items) else LiteralList(tuple(items))


def holds(condition: Condition, values: Literals) -> bool:
    """Whether a condition over numbers holds."""
    match condition:
        case Compare():
            return bool(_OPERATORS[condition.op](_operand(condition.left, values), _operand(condition.right, values)))
        case AllOf():
            return False not in [holds(part, values) for part in condition.conditions]
        case AnyOf():
            return True in [holds(part, values) for part in condition.conditions]
        case Not():
            return not holds(condition.condition, values)
        case Input():
            return _operand(condition, values) is True


def _operand(operand: Operand, values: Literals) -> Any:
    if not isinstance(operand, Input):
        return operand.value
    value = values[operand.name]
    assert isinstance(value, Inline), "simulated branches compare numbers"
    return value.value


def arm_of(branch: BranchSpec, values: Literals) -> int:
    """The arm that a branch takes: the first whose condition holds; -1 if there is none."""
    for arm, case in enumerate(branch.cases):
        if case.when is None or holds(case.when, values):
            return arm
    return -1


def needed(spec: MapSpec, total: int) -> int:
    """So many of the items of a map have to succeed: all, or where a number or a share is given the larger of both."""
    if spec.min_successes is None and spec.min_success_ratio is None:
        return total
    ratio = spec.min_success_ratio or 0.0
    share = next(count for count in range(total + 1) if count >= ratio * total - 1e-9)
    return max(spec.min_successes or 0, share)


def formula(of: Any, code: str) -> float | str | None:
    """What the formula for a number of retries gives behind an error of that code; None where this does not know it."""
    match of:
        case Number() | Text():
            return of.value
        case Given(what="error.code"):
            return code
        case Operation(op="eq", operands=(left, right)):
            return float(formula(left, code) == formula(right, code))
        case Operation(op="where", operands=(condition, then, otherwise)):
            return formula(then if formula(condition, code) else otherwise, code)
        case Given() | FormulaInput() | Operation():
            return None
    return None
