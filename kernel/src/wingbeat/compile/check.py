"""Does everything fit? All findings of a closure at once, each with the user's file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import msgspec

from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.compile.branches import Arms, condition_findings
from wingbeat.compile.handlers import handler_findings
from wingbeat.compile.interfaces import gate_findings, launchplan_findings, node_interface
from wingbeat.compile.publishing import publishing_findings
from wingbeat.spec.chosen import check_formulas
from wingbeat.spec.entities import (
    Arm,
    Binding,
    BranchSpec,
    Closure,
    Constant,
    GateSpec,
    LaunchPlanSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    Promise,
    TaskSpec,
    Variable,
    WorkflowSpec,
)
from wingbeat.spec.order import nodes_of
from wingbeat.types import DictType, ListType, LiteralType, TupleType, ValueMismatch, compatible, describe, select

Locations = Mapping[str, Mapping[str, object]]
"""By digest of the workflow and id of the node: where the call stands, as something that prints as ``file:line``; under an
empty id where the workflow is defined."""

NODES_MAX = 1_000_000


def check(closure: Closure, locations: Locations | None = None) -> None:
    """Raise CompileError with everything that is wrong in any workflow of `closure`; return if nothing is."""
    findings: list[str] = []
    hints: list[str] = []
    for digest, entity in closure.entities.items():
        if isinstance(entity, WorkflowSpec):
            made = _Check(closure, entity, (locations or {}).get(digest, {}))
            findings += made.findings()
            hints += made.hints
        elif isinstance(entity, LaunchPlanSpec):
            findings += launchplan_findings(closure, entity)
        elif entity.formulas:
            findings += _formulas(entity, "")
    if findings:
        raise CompileError(*findings, hint="\n  ".join(dict.fromkeys(hints)))


def _formulas(task: TaskSpec, where: str) -> Iterator[str]:
    try:
        check_formulas(task, task.interface)
    except ValueMismatch as error:
        yield f"{task.name}: {error}{where}."


class _Check:
    def __init__(self, closure: Closure, workflow: WorkflowSpec, lines: Mapping[str, object]) -> None:
        self.closure, self.workflow, self.lines = closure, workflow, lines
        self.nodes: dict[str, NodeSpec] = {}
        self.hints: list[str] = []
        self.gates: set[str] = set()
        self.arms = Arms(self.nodes)
        self.branching = any(isinstance(node.kind, BranchSpec) for node in workflow.nodes)

    def findings(self) -> Iterator[str]:
        """Nodes are checked in the order of the calls; a promise may only name an earlier one, so there are no cycles.

        The outputs of a branch come from later nodes, those of its arms, and are checked when all are known.
        """
        if len(self.workflow.nodes) > NODES_MAX:
            yield f"{self.workflow.name} has {len(self.workflow.nodes):,} nodes; at most {NODES_MAX:,} are possible."
            return
        for node in self.workflow.nodes:
            yield from self._node(node)
            if node.id in self.nodes or not node.id or "." in node.id or "/" in node.id:
                yield f"{self.workflow.name}: node id {node.id!r} is used twice or not possible."
            self.nodes[node.id] = node
        for node in self.workflow.nodes if self.branching else ():
            if isinstance(node.kind, BranchSpec):
                yield from self._cases(node, node.kind)
        for variable in self.workflow.interface.outputs:
            binding = self.workflow.outputs.get(variable.name)
            if binding is None:
                yield f"{self.workflow.name}: output {variable.name!r} is not bound."
            else:
                for wrong in self._binding(binding, variable.type, partial(self.arms.hidden, place=None)):
                    where = f" ({self.lines['']})" if "" in self.lines else ""
                    what = f"{self.workflow.name} returns {variable.name!r} as {describe(variable.type)}"
                    yield f"{what}{wrong}{where}."
        where = f" ({self.lines['']})" if "" in self.lines else ""
        yield from handler_findings(self.closure, self.workflow, where)
        yield from publishing_findings(self.workflow, where)

    def _where(self, node: NodeSpec) -> str:
        return f" ({self.lines[node.id]})" if node.id in self.lines else f" (node {node.id} of {self.workflow.name})"

    def _node(self, node: NodeSpec) -> Iterator[str]:
        gated = node.kind is not None and isinstance(node.kind, BranchSpec | GateSpec)
        if not gated and not 0 <= node.call < len(self.workflow.calls):
            yield f"{self.workflow.name}: node {node.id} calls nothing."
            return
        where = self._where(node)
        if node.arm is not None and (wrong := self.arms.wrong(node.arm)):
            yield f"node {node.id} {wrong}{where}."
            return
        name = self._name(node)
        if isinstance(node.kind, MapSpec):
            yield from self._map(node.kind, name, node, where)
        elif isinstance(node.kind, GateSpec):
            yield from self._gate(node.kind, where)
        if node.override is not None:
            task = None if gated else self.closure.entities[self.workflow.calls[node.call]]
            if not isinstance(task, TaskSpec):
                yield f"{name} is no task, so nothing of it can be overridden{where}."
            elif formulas := node.override.formulas:
                pool = node.override.pool or task.pool
                yield from _formulas(msgspec.structs.replace(task, formulas=formulas, pool=pool), where)
        interface = node_interface(self.closure, self.workflow, node)
        hidden = partial(self.arms.hidden, place=node.arm)
        for variable in interface.inputs:
            if variable.name in node.inputs:
                for wrong in self._binding(node.inputs[variable.name], variable.type, hidden):
                    yield f"{name} takes {variable.name!r} as {describe(variable.type)}{wrong}{where}."
                    self._hint(node, variable)
            elif variable.required:
                yield f"{name} needs {variable.name!r}{where}."
        for given in node.inputs:
            if interface.input(given) is None:
                yield f"{name} has no input {given!r}{where}."
        for other in node.after:
            if other not in self.nodes:
                yield f"node {node.id} is to run after {other!r}, which is no earlier node{where}."
            elif reason := hidden(other):
                yield f"node {node.id} is to run after {other!r}, but {reason}{where}."
        if isinstance(node.kind, BranchSpec):
            for case in node.kind.cases:
                if case.when is not None:
                    yield from condition_findings(case.when, interface, where)

    def _hint(self, node: NodeSpec, variable: Variable) -> None:
        from wingbeat.compile.hints import input_hint  # only for who has made a mistake

        binding, source = node.inputs[variable.name], None
        if isinstance(binding, Promise):
            try:
                source = promise_type(self.closure, self.workflow, self.nodes, binding)
            except (ValueMismatch, LookupError):
                return
        if hint := input_hint(self.closure, self.workflow, self.nodes, node, variable, source):
            self.hints.append(hint)

    def _name(self, node: NodeSpec) -> str:
        if node.kind is None:
            return self.closure.entities[self.workflow.calls[node.call]].name
        match node.kind:
            case BranchSpec():
                return "the branch"
            case GateSpec(gate="sleep"):
                return "sleep"
            case GateSpec(name=name):
                return f"the gate {name!r}"
            case MapSpec():
                return f"the map over {self.closure.entities[self.workflow.calls[node.call]].name}"

    def _map(self, spec: MapSpec, name: str, node: NodeSpec, where: str) -> Iterator[str]:
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

    def _gate(self, spec: GateSpec, where: str) -> Iterator[str]:
        if spec.name and spec.name in self.gates:
            yield f"{self.workflow.name} has two gates {spec.name!r}; an answer would not know which is meant{where}."
        self.gates.add(spec.name)
        if not spec.name and spec.gate != "sleep":
            yield f"a gate has no name{where}."
        if spec.timeout_s is not None and spec.timeout_s <= 0:
            yield f"the gate {spec.name!r}: a timeout is longer than nothing{where}."
        yield from gate_findings(spec, where)

    def _cases(self, node: NodeSpec, spec: BranchSpec) -> Iterator[str]:
        where = self._where(node)
        if not spec.cases or spec.cases[-1].when is not None:
            yield f"the branch has no arm for when no condition holds{where}."
        for i, case in enumerate(spec.cases):
            for variable in spec.interface.outputs:
                binding = case.outputs.get(variable.name)
                if binding is None:
                    yield f"arm {i + 1} of the branch gives no {variable.name!r}{where}."
                else:
                    hidden = partial(self.arms.hidden_to_case, arm=Arm(node.id, i))
                    for wrong in self._binding(binding, variable.type, hidden):
                        yield f"arm {i + 1} of the branch has to give {describe(variable.type)}{wrong}{where}."

    def _binding(self, binding: Binding, type_: LiteralType, hidden: Callable[[str], str]) -> list[str]:
        """What is wrong with a binding to something of that type: what comes behind words that say what it is bound to."""
        wrong: list[str] = []
        self._fits(binding, type_, wrong)
        for name in nodes_of(binding) if self.branching else ():
            if name in self.nodes and (reason := hidden(name)):
                wrong.append(f"; but {reason}")
        return wrong

    def _fits(self, binding: Binding, type_: LiteralType, wrong: list[str]) -> None:
        match binding:
            case Promise():
                try:
                    source = promise_type(self.closure, self.workflow, self.nodes, binding)
                except (ValueMismatch, LookupError) as error:
                    wrong.append(f"; {self._said(binding)}: {error}")
                    return
                reason = None if source is type_ else compatible(source, type_)
                if reason is not None:
                    wrong.append(f", but {self._said(binding)} is {describe(source)}: {reason}")
            case ListBinding():
                for i, item in enumerate(binding.items):
                    item_type = _item_type(type_, i, len(binding.items))
                    if item_type is None:
                        wrong.append(f", but a list of {counted(len(binding.items), 'value')} is bound")
                        return
                    self._fits(item, item_type, wrong)
            case MapBinding():
                if not isinstance(type_, DictType):
                    wrong.append(", but a dictionary is bound")
                    return
                for item in binding.items.values():
                    self._fits(item, type_.value, wrong)
            case Constant():
                return  # encoded by this very type when it was traced

    def _said(self, promise: Promise) -> str:
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
