"""Does everything fit? All findings of a closure at once, each with the user's file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import (
    Binding,
    Closure,
    Constant,
    ListBinding,
    MapBinding,
    NodeSpec,
    Promise,
    Variable,
    WorkflowSpec,
)
from wingbeat.types import DictType, ListType, LiteralType, TupleType, ValueMismatch, compatible, describe, select

Locations = Mapping[str, Mapping[str, object]]
"""By digest of the workflow and id of the node: where the call stands, as something that prints as ``file:line``; under an
empty id where the workflow is defined."""

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
                where = f" ({self.lines['']})" if "" in self.lines else ""
                yield from self._binding(binding, variable, f"{self.workflow.name} returns {variable.name!r} as", where)

    def _node(self, node: NodeSpec) -> Iterator[str]:
        if not 0 <= node.call < len(self.workflow.calls):
            yield f"{self.workflow.name}: node {node.id} calls nothing."
            return
        callee = self.closure.entities[self.workflow.calls[node.call]]
        where = f" ({self.lines[node.id]})" if node.id in self.lines else f" (node {node.id} of {self.workflow.name})"
        for variable in callee.interface.inputs:
            if variable.name in node.inputs:
                what = f"{callee.name} takes {variable.name!r} as"
                yield from self._binding(node.inputs[variable.name], variable, what, where)
            elif variable.required:
                yield f"{callee.name} needs {variable.name!r}{where}."
        for name in node.inputs:
            if callee.interface.input(name) is None:
                yield f"{callee.name} has no input {name!r}{where}."
        for other in node.after:
            if other not in self.nodes:
                yield f"node {node.id} is to run after {other!r}, which is no earlier node{where}."

    def _binding(self, binding: Binding, variable: Variable, what: str, where: str) -> Iterator[str]:
        yield from self._fits(binding, variable.type, f"{what} {describe(variable.type)}", where)

    def _fits(self, binding: Binding, type_: LiteralType, what: str, where: str) -> Iterator[str]:
        match binding:
            case Promise():
                try:
                    source = promise_type(self.closure, self.workflow, self.nodes, binding)
                except (ValueMismatch, LookupError) as error:
                    yield f"{what}; {self._name(binding)}: {error}{where}."
                    return
                reason = compatible(source, type_)
                if reason is not None:
                    yield f"{what}, but {self._name(binding)} is {describe(source)}: {reason}{where}."
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

    def _name(self, promise: Promise) -> str:
        path = "".join(f"[{p!r}]" if isinstance(p, int) else f".{p}" for p in promise.path)
        if not promise.node:
            return f"input {promise.output!r}{path}"
        node = self.nodes.get(promise.node)
        known = node is not None and 0 <= node.call < len(self.workflow.calls)
        of = f" of {self.closure.entities[self.workflow.calls[node.call]].name}" if node and known else ""
        return f"{promise.node}.{promise.output}{path}{of}"


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
        callee = closure.entities[workflow.calls[nodes[promise.node].call]]
        variable, owner = callee.interface.output(promise.output), callee.name
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
