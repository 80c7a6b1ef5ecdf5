"""Closure to plan: sub-workflows take the place of their calls, names become numbers, conversions are decided."""

from __future__ import annotations

from collections.abc import Mapping

from wingbeat.base.errors import CompileError
from wingbeat.compile.check import NODES_MAX, promise_type
from wingbeat.spec.entities import (
    Binding,
    Closure,
    Constant,
    Interface,
    ListBinding,
    NodeSpec,
    Promise,
    TaskSpec,
    WorkflowSpec,
)
from wingbeat.spec.literal import Inline
from wingbeat.spec.plan import Fixed, FromInput, FromNode, ListOf, MapOf, Part, Plan, PlanNode, Source
from wingbeat.types import DictType, ListType, LiteralType, TupleType, needs_conversion

DEPTH_MAX = 50


def flatten(closure: Closure) -> Plan:
    """The plan of a checked closure.

    Raises:
        CompileError: It has too many nodes once flattened, or calls are nested too deeply.
    """
    if _count(closure, closure.root, {}, 0) > NODES_MAX:
        raise CompileError(f"{closure.workflow.name} has more than {NODES_MAX} nodes, its sub-workflows counted in.")
    flat = _Flatten(closure)
    workflow = closure.workflow
    outputs, _ = flat.workflow(
        workflow, "", {v.name: FromInput(v.name) for v in workflow.interface.inputs}, frozenset()
    )
    plan = Plan(
        name=workflow.name,
        interface=workflow.interface,
        nodes=flat.nodes,
        tasks=flat.tasks,
        digests=flat.digests,
        outputs=outputs,
        failure_policy=workflow.failure_policy,
        timeout_s=workflow.timeout_s,
        index={node.id: i for i, node in enumerate(flat.nodes)},
    )
    for i, node in enumerate(plan.nodes):
        for upstream in node.upstream:
            plan.nodes[upstream].downstream.append(i)
    return plan


def _count(closure: Closure, digest: str, counts: dict[str, int], depth: int) -> int:
    """How many nodes an entity flattens to, before any is made. Raises CompileError if it is nested too deeply."""
    entity = closure.entities[digest]
    if isinstance(entity, TaskSpec):
        return 1
    if depth > DEPTH_MAX:
        raise CompileError(f"{entity.name}: workflows are nested more than {DEPTH_MAX} deep.")
    if digest not in counts:
        inside = [_count(closure, callee, counts, depth + 1) for callee in entity.calls]
        counts[digest] = sum(inside[node.call] for node in entity.nodes)
    return counts[digest]


class _Flatten:
    def __init__(self, closure: Closure) -> None:
        self.closure = closure
        self.nodes: list[PlanNode] = []
        self.tasks: list[TaskSpec] = []
        self.digests: list[str] = []
        self._task_index: dict[str, int] = {}

    def workflow(
        self, workflow: WorkflowSpec, prefix: str, given: Mapping[str, Source], after: frozenset[int]
    ) -> tuple[dict[str, Source], frozenset[int]]:
        """Add a workflow's nodes; answers with where its outputs come from, and all nodes that it added."""
        scope = _Scope(self.closure, workflow, given)
        added: set[int] = set()
        for node in workflow.nodes:
            digest = workflow.calls[node.call]
            callee = self.closure.entities[digest]
            waits = after.union(*(scope.members[n] for n in node.after)) if node.after else after
            inputs = scope.inputs(node, callee.interface)
            path = f"{prefix}{node.id}"
            if isinstance(callee, TaskSpec):
                members = frozenset({self._task(path, digest, callee, inputs, waits)})
                outputs: dict[str, Source] = {
                    v.name: FromNode(len(self.nodes) - 1, v.name) for v in callee.interface.outputs
                }
            else:
                outputs, members = self.workflow(callee, f"{path}.", inputs, waits)
            scope.add(node, outputs, members)
            added |= members
        bindings = workflow.outputs
        return {v.name: scope.source(bindings[v.name], v.type) for v in workflow.interface.outputs}, frozenset(added)

    def _task(self, path: str, digest: str, task: TaskSpec, inputs: dict[str, Source], waits: frozenset[int]) -> int:
        index = self._task_index.get(digest)
        if index is None:
            index = self._task_index[digest] = len(self.tasks)
            self.tasks.append(task)
            self.digests.append(digest)
        upstream = set(waits)
        for source in inputs.values():
            _collect(source, upstream)
        self.nodes.append(PlanNode(id=path, task=index, inputs=inputs, upstream=tuple(sorted(upstream)), downstream=[]))
        return len(self.nodes) - 1


class _Scope:
    """The names inside one workflow's body while it is flattened."""

    def __init__(self, closure: Closure, workflow: WorkflowSpec, given: Mapping[str, Source]) -> None:
        self.closure, self.workflow, self.given = closure, workflow, given
        self.members: dict[str, frozenset[int]] = {}
        self._specs: dict[str, NodeSpec] = {}
        self._outputs: dict[str, dict[str, Source]] = {}

    def add(self, node: NodeSpec, outputs: dict[str, Source], members: frozenset[int]) -> None:
        self._specs[node.id], self._outputs[node.id], self.members[node.id] = node, outputs, members

    def inputs(self, node: NodeSpec, interface: Interface) -> dict[str, Source]:
        """Where each input of a call comes from; defaults are filled in."""
        return {
            v.name: self.source(node.inputs[v.name], v.type) if v.name in node.inputs else Fixed(Inline(v.default))
            for v in interface.inputs
        }

    def source(self, binding: Binding, target: LiteralType) -> Source:
        match binding:
            case Constant():
                return Fixed(Inline(binding.value))
            case Promise():
                return self._promise(binding, target)
            case ListBinding():
                items = binding.items
                if isinstance(target, TupleType):
                    return ListOf(tuple(self.source(b, t) for b, t in zip(items, target.items, strict=True)))
                assert isinstance(target, ListType)
                return ListOf(tuple(self.source(b, target.item) for b in items))
            case _:
                assert isinstance(target, DictType)
                return MapOf({k: self.source(b, target.value) for k, b in binding.items.items()})

    def _promise(self, promise: Promise, target: LiteralType) -> Source:
        whole = Promise(promise.node, promise.output)
        of = self._outputs[promise.node][promise.output] if promise.node else self.given[promise.output]
        type_ = promise_type(self.closure, self.workflow, self._specs, whole)
        part = promise_type(self.closure, self.workflow, self._specs, promise) if promise.path else type_
        convert = part is not target and needs_conversion(part, target)
        if not promise.path and not convert:
            return of
        return Part(of, promise.path, type_, target if convert else None)


def _collect(source: Source, into: set[int]) -> None:
    """Add the nodes that `source` reads."""
    match source:
        case FromNode():
            into.add(source.node)
        case ListOf():
            for item in source.items:
                _collect(item, into)
        case MapOf():
            for item in source.items.values():
                _collect(item, into)
        case Part():
            _collect(source.of, into)
