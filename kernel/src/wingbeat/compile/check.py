"""Does everything fit? All findings of a closure at once, each with the user's file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wingbeat.base.errors import CompileError
from wingbeat.compile.interfaces import node_interface
from wingbeat.spec.entities import (
    AllOf,
    AnyOf,
    Binding,
    BranchSpec,
    Closure,
    Compare,
    Condition,
    Constant,
    GateSpec,
    Input,
    Interface,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    Not,
    Promise,
    Variable,
    WorkflowSpec,
)
from wingbeat.types import (
    DictType,
    EnumType,
    ListType,
    LiteralType,
    LiteralValues,
    Simple,
    TupleType,
    ValueMismatch,
    compatible,
    describe,
    select,
)

Locations = Mapping[str, Mapping[str, object]]
"""By digest of the workflow and id of the node: where the call stands, as something that prints as ``file:line``."""

NODES_MAX = 1_000_000


def check(closure: Closure, locations: Locations | None = None) -> None:
    """Raise CompileError with everything that is wrong in any workflow of `closure`; return if nothing is."""
    findings: list[str] = []
    for digest, entity in closure.entities.items():
        if isinstance(entity, WorkflowSpec):
            findings += _Check(closure, entity, (locations or {}).get(digest, {})).findings()
    if findings:
        raise CompileError(*findings)


class _Check:
    def __init__(self, closure: Closure, workflow: WorkflowSpec, lines: Mapping[str, object]) -> None:
        self.closure, self.workflow, self.lines = closure, workflow, lines
        self.nodes: dict[str, NodeSpec] = {}

    def findings(self) -> Iterator[str]:
        """Nodes are checked in the order of the calls; a promise may only name an earlier one, so there are no cycles."""
        if len(self.workflow.nodes) > NODES_MAX:
            yield f"{self.workflow.name} has {len(self.workflow.nodes)} nodes; at most {NODES_MAX} are possible."
            return
        for node in self.workflow.nodes:
            yield from self._node(node)
            if node.id in self.nodes or not node.id or "." in node.id or "/" in node.id:
                yield f"{self.workflow.name}: node id {node.id!r} is used twice or not possible."
            self.nodes[node.id] = node
        for variable in self.workflow.interface.outputs:
            binding = self.workflow.outputs.get(variable.name)
            if binding is None:
                yield f"{self.workflow.name}: output {variable.name!r} is not bound."
            else:
                yield from self._binding(binding, variable, f"{self.workflow.name} returns {variable.name!r} as", "")

    def _node(self, node: NodeSpec) -> Iterator[str]:
        gated = isinstance(node.kind, BranchSpec | GateSpec)
        if not gated and not 0 <= node.call < len(self.workflow.calls):
            yield f"{self.workflow.name}: node {node.id} calls nothing."
            return
        name = self._name(node)
        where = f" ({self.lines[node.id]})" if node.id in self.lines else f" (node {node.id} of {self.workflow.name})"
        if isinstance(node.kind, MapSpec):
            yield from self._map(node.kind, node, name, where)
        interface = node_interface(self.closure, self.workflow, node)
        for variable in interface.inputs:
            if variable.name in node.inputs:
                what = f"{name} takes {variable.name!r} as"
                yield from self._binding(node.inputs[variable.name], variable, what, where)
            elif variable.required:
                yield f"{name} needs {variable.name!r}{where}."
        for given in node.inputs:
            if interface.input(given) is None:
                yield f"{name} has no input {given!r}{where}."
        for other in node.after:
            if other not in self.nodes:
                yield f"node {node.id} is to run after {other!r}, which is no earlier node{where}."
        if isinstance(node.kind, BranchSpec):
            yield from self._branch(node.kind, interface, where)
        if node.arm is not None:
            branch = next((n for n in self.workflow.nodes if n.id == node.arm.branch), None)
            if branch is None or not isinstance(branch.kind, BranchSpec):
                yield f"node {node.id} belongs to an arm of {node.arm.branch!r}, which is no branch{where}."

    def _name(self, node: NodeSpec) -> str:
        match node.kind:
            case BranchSpec():
                return "the branch"
            case GateSpec(name=name):
                return f"the gate {name!r}"
            case MapSpec():
                return f"the map over {self.closure.entities[self.workflow.calls[node.call]].name}"
            case _:
                return self.closure.entities[self.workflow.calls[node.call]].name

    def _map(self, spec: MapSpec, node: NodeSpec, name: str, where: str) -> Iterator[str]:
        callee = self.closure.entities[self.workflow.calls[node.call]].interface
        if not spec.over:
            yield f"{name} is given no list{where}."
        for over in spec.over:
            if callee.input(over) is None:
                yield f"{name}: there is no input {over!r} to map over{where}."
        if spec.concurrency is not None and spec.concurrency < 1:
            yield f"{name}: concurrency is at least 1, not {spec.concurrency}{where}."
        if spec.min_successes is not None and spec.min_successes < 0:
            yield f"{name}: min_successes is at least 0, not {spec.min_successes}{where}."
        if spec.min_success_ratio is not None and not 0 <= spec.min_success_ratio <= 1:
            yield f"{name}: min_success_ratio is between 0 and 1, not {spec.min_success_ratio:g}{where}."

    def _branch(self, spec: BranchSpec, interface: Interface, where: str) -> Iterator[str]:
        for i, case in enumerate(spec.cases):
            if case.when is not None:
                yield from self._condition(case.when, interface, where)
            for variable in interface.outputs:
                binding = case.outputs.get(variable.name)
                if binding is None:
                    yield f"arm {i} of the branch gives no {variable.name!r}{where}."
                else:
                    yield from self._binding(binding, variable, f"arm {i} of the branch has to give", where)

    def _condition(self, condition: Condition, interface: Interface, where: str) -> Iterator[str]:
        match condition:
            case AllOf() | AnyOf():
                for part in condition.conditions:
                    yield from self._condition(part, interface, where)
            case Not():
                yield from self._condition(condition.condition, interface, where)
            case Input():
                type_ = self._operand(condition, interface)
                if type_ != Simple("bool"):
                    what = "nothing" if type_ is None else describe(type_)
                    yield f"a condition has to be a bool, but is {what}{where}; compare it with something."
            case Compare():
                types = [self._operand(o, interface) for o in (condition.left, condition.right)]
                for type_ in types:
                    if type_ is not None and not _comparable(type_, condition.op):
                        yield f"values of type {describe(type_)} cannot be compared by {condition.op!r}{where}."
                if None not in types and _family(types[0]) != _family(types[1]):
                    yield f"{describe(types[0])} and {describe(types[1])} cannot be compared{where}."  # type: ignore[arg-type]

    def _operand(self, operand: object, interface: Interface) -> LiteralType | None:
        variable = interface.input(operand.name) if isinstance(operand, Input) else None
        return variable.type if variable is not None else None

    def _binding(self, binding: Binding, variable: Variable, what: str, where: str) -> Iterator[str]:
        yield from self._fits(binding, variable.type, f"{what} {describe(variable.type)}", where)

    def _fits(self, binding: Binding, type_: LiteralType, what: str, where: str) -> Iterator[str]:
        match binding:
            case Promise():
                try:
                    source = promise_type(self.closure, self.workflow, self.nodes, binding)
                except (ValueMismatch, LookupError) as error:
                    yield f"{what}; {_name(binding)}: {error}{where}."
                    return
                reason = compatible(source, type_)
                if reason is not None:
                    yield f"{what}, but {_name(binding)} is {describe(source)}: {reason}{where}."
            case ListBinding():
                for i, item in enumerate(binding.items):
                    item_type = _item_type(type_, i, len(binding.items))
                    if item_type is None:
                        yield f"{what}, but a list of {len(binding.items)} values is bound{where}."
                        return
                    yield from self._fits(item, item_type, what, where)
            case MapBinding():
                if not isinstance(type_, DictType):
                    yield f"{what}, but a dictionary is bound{where}."
                    return
                for item in binding.items.values():
                    yield from self._fits(item, type_.value, what, where)
            case Constant():
                return  # encoded by this very type when it was traced


def promise_type(
    closure: Closure, workflow: WorkflowSpec, nodes: Mapping[str, NodeSpec], promise: Promise
) -> LiteralType:
    """The literal type of what a promise stands for.

    Raises:
        LookupError: There is no such node, input or output.

        ValueMismatch: There is nothing at its path.
    """
    if not promise.node:
        variable = workflow.interface.input(promise.output)
        owner = workflow.name
    elif promise.node in nodes:
        variable = node_interface(closure, workflow, nodes[promise.node]).output(promise.output)
        owner = f"node {promise.node}"
    else:
        raise LookupError(f"there is no earlier node {promise.node!r}")
    if variable is None:
        raise LookupError(f"{owner} has no {'output' if promise.node else 'input'} {promise.output!r}")
    return select(variable.type, promise.path) if promise.path else variable.type


def _item_type(type_: LiteralType, index: int, count: int) -> LiteralType | None:
    if isinstance(type_, ListType):
        return type_.item
    if isinstance(type_, TupleType) and len(type_.items) == count:
        return type_.items[index]
    return None


_NUMBERS = frozenset({"int", "float", "bool"})


def _comparable(type_: LiteralType, op: str) -> bool:
    """Whether the wire form of a type is compared as its values are."""
    if isinstance(type_, EnumType | LiteralValues):
        return op in ("eq", "ne")
    if not isinstance(type_, Simple):
        return False
    return type_.name in ("int", "float", "str", "date") or op in ("eq", "ne")


def _family(type_: LiteralType | None) -> object:
    """What can be compared with each other."""
    if isinstance(type_, Simple):
        return "number" if type_.name in _NUMBERS else type_.name
    return "name" if isinstance(type_, EnumType) else None if type_ is None else "literal"


def _name(promise: Promise) -> str:
    path = "".join(f"[{p!r}]" if isinstance(p, int) else f".{p}" for p in promise.path)
    return f"{promise.node}.{promise.output}{path}" if promise.node else f"input {promise.output!r}{path}"
