"""Closure to plan: sub-workflows take the place of their calls, names become numbers, conversions are decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wingbeat.base.errors import CompileError
from wingbeat.compile.check import NODES_MAX
from wingbeat.compile.handlers import handling
from wingbeat.compile.interfaces import node_interface
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    Binding,
    Borrowed,
    BranchSpec,
    Closure,
    Constant,
    FailurePolicy,
    GateSpec,
    Interface,
    LaunchPlanSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OverrideSpec,
    Promise,
    TaskSpec,
    WorkflowSpec,
)
from wingbeat.spec.literal import Inline
from wingbeat.spec.plan import (
    BranchKind,
    ChildKind,
    Fixed,
    FromInput,
    FromNode,
    GateKind,
    Kind,
    ListOf,
    MapKind,
    MapOf,
    Part,
    Plan,
    PlanNode,
    ScopeKind,
    Source,
)
from wingbeat.types import DictType, ListType, LiteralType, TupleType, needs_conversion, select

DEPTH_MAX = 50


def flatten(closure: Closure) -> Plan:
    """The plan of a checked closure.

    Raises:
        CompileError: It has too many nodes once flattened, or calls are nested too deeply.
    """
    if _count(closure, closure.root, {}, 0) > NODES_MAX:
        raise CompileError(f"{closure.workflow.name} has more than {NODES_MAX} nodes, its sub-workflows counted in.")
    return _plan(closure, closure.workflow, {})


def _plan(closure: Closure, workflow: WorkflowSpec, made: dict[str, Plan]) -> Plan:
    flat = _Flatten(closure, made)
    outputs, _ = flat.workflow(workflow, "", {v.name: FromInput(v.name) for v in workflow.interface.inputs}, ())
    plan = Plan(
        name=workflow.name,
        interface=workflow.interface,
        nodes=flat.nodes,
        tasks=flat.tasks,
        digests=flat.digests,
        outputs=outputs,
        failure_policy=workflow.failure_policy or FailurePolicy.FAIL_IMMEDIATELY,
        timeout_s=workflow.timeout_s,
        index={node.id: i for i, node in enumerate(flat.nodes)},
        plain=all(node.kind is None and not flat.tasks[node.task].dynamic for node in flat.nodes),
        handler=None if workflow.on_failure is None else _plan(closure, handling(closure, workflow), made),
        borrowed=flat.borrowed,
        changed=frozenset(flat.changed),
    )
    for i, node in enumerate(plan.nodes):
        for upstream in node.upstream:
            plan.nodes[upstream].downstream.append(i)
        if node.arm is not None:
            plan.nodes[i].downstream.append(node.arm[0])
        if isinstance(node.kind, MapKind):
            for feeder in {number for number, _ in node.kind.fed.values()}:
                above = plan.nodes[feeder].kind
                assert isinstance(above, MapKind)
                above.feeds.append(i)
    return plan


def _count(closure: Closure, digest: str, counts: dict[str, int], depth: int) -> int:
    """How many nodes an entity flattens to, before any is made. Raises CompileError if it is nested too deeply."""
    entity = closure.entities[digest]
    if not isinstance(entity, WorkflowSpec):
        return 1
    if depth > DEPTH_MAX:
        raise CompileError(f"{entity.name}: workflows are nested more than {DEPTH_MAX} deep.")
    if digest not in counts:
        inside = [_count(closure, callee, counts, depth + 1) for callee in entity.calls]
        counts[digest] = sum(inside[node.call] if node.call >= 0 else 1 for node in entity.nodes)
    return counts[digest]


class _Flatten:
    """Adds the nodes of one plan. `made` holds the plans of workflows that are mapped over, by digest."""

    def __init__(self, closure: Closure, made: dict[str, Plan]) -> None:
        self.closure, self.made = closure, made
        self.nodes: list[PlanNode] = []
        self.tasks: list[TaskSpec] = []
        self.digests: list[str] = []
        self.borrowed: dict[int, Borrowed] = {}
        self.changed: set[int] = set()
        self._task_index: dict[str, int] = {}

    def workflow(
        self,
        workflow: WorkflowSpec,
        prefix: str,
        given: Mapping[str, Source],
        after: tuple[int, ...],
        arm: tuple[int, int] | None = None,
    ) -> tuple[dict[str, Source], tuple[int, ...]]:
        """Add a workflow's nodes; answers with where its outputs come from, and the nodes that have to succeed for all of it."""
        scope = _Scope(workflow, given)
        added: list[int] = []
        branches: list[tuple[int, NodeSpec]] = []
        callees = [self.closure.entities[digest] for digest in workflow.calls]
        for node in workflow.nodes:
            waits = after
            if node.after:
                waits = (*after, *(number for name in node.after for number in scope.members(name)))
            path = prefix + node.id
            within = arm if node.arm is None else (scope.members(node.arm.branch)[0], node.arm.case)
            callee = callees[node.call] if node.call >= 0 else None
            interface = callee.interface if node.kind is None else node_interface(self.closure, workflow, node)  # type: ignore[union-attr]
            inputs = scope.inputs(node, interface)
            if node.kind is None and isinstance(callee, WorkflowSpec) and not _keeps(callee, workflow):
                outputs, members = self.workflow(callee, f"{path}.", inputs, waits, within)
            else:
                if node.kind is None and isinstance(callee, TaskSpec):  # as most are
                    task, kind = self._task(workflow.calls[node.call], callee, node.override), None
                else:
                    task, kind = self._what(workflow, node)
                number = self._add(path, task, inputs, waits, kind, within)
                if node.override is not None:
                    self.nodes[number].name = node.override.name
                if isinstance(kind, BranchKind):
                    branches.append((number, node))
                outputs = {v.name: FromNode(number, v.name) for v in interface.outputs}
                members = (number,)
            scope.add(node.id, outputs, interface, members)
            if node.arm is None:  # else its branch stands for it: it may be skipped, and nobody could wait for it
                added += members
        for number, node in reversed(branches):  # those within others first
            self._arms(number, node, workflow, scope)
        bindings = workflow.outputs
        return {v.name: scope.source(bindings[v.name], v.type) for v in workflow.interface.outputs}, tuple(added)

    def called(self, digest: str) -> Plan:
        """The plan of a task or workflow that runs apart from the others."""
        if digest not in self.made:
            entity = self.closure.entities[digest]
            workflow = single(digest, entity) if isinstance(entity, TaskSpec) else entity
            assert isinstance(workflow, WorkflowSpec)
            self.made[digest] = _plan(self.closure, workflow, self.made)
        return self.made[digest]

    def _what(self, workflow: WorkflowSpec, node: NodeSpec) -> tuple[int, Kind | None]:
        """The task that a node calls, as its number, and its kind."""
        if isinstance(node.kind, BranchSpec):
            conditions = tuple(case.when for case in node.kind.cases)
            count = len(conditions)
            return -1, BranchKind(node.kind, conditions, [], [[] for _ in range(count)], [[] for _ in range(count)])
        if isinstance(node.kind, GateSpec):
            return -1, GateKind(node.kind)
        digest = workflow.calls[node.call]
        callee = self.closure.entities[digest]
        task = self._task(digest, callee, node.override) if isinstance(callee, TaskSpec) else -1
        child = ChildKind(callee, digest) if isinstance(callee, LaunchPlanSpec) else None
        if isinstance(node.kind, MapSpec):
            plan = self.called(digest) if isinstance(callee, WorkflowSpec) else None
            return task, MapKind(node.kind, tuple(v.name for v in callee.interface.outputs), plan, child)
        if isinstance(callee, WorkflowSpec):
            return -1, ScopeKind(self.called(digest))
        return task, child

    def _task(self, digest: str, task: TaskSpec, override: OverrideSpec | None) -> int:
        borrowed, registered = self.closure.borrowed.get(digest), digest
        if override is not None:
            task = overridden(task, override)
            digest = spec_digest(task)
        index = self._task_index.get(digest)
        if index is None:
            index = self._task_index[digest] = len(self.tasks)
            self.tasks.append(task)
            self.digests.append(digest)
            if borrowed is not None:
                self.borrowed[index] = borrowed
                if digest != registered:
                    self.changed.add(index)
        return index

    def _add(
        self,
        path: str,
        task: int,
        inputs: dict[str, Source],
        waits: tuple[int, ...],
        kind: Kind | None,
        arm: tuple[int, int] | None,
    ) -> int:
        upstream = set(waits)
        _collect(inputs.values(), upstream)
        if isinstance(kind, MapKind):
            kind = self._fed(kind, inputs, waits)
        self.nodes.append(PlanNode(path, task, inputs, tuple(sorted(upstream)), [], kind, arm))
        return len(self.nodes) - 1

    def _fed(self, kind: MapKind, inputs: dict[str, Source], waits: tuple[int, ...]) -> MapKind:
        """A map with the maps that feed it: those that it only goes over."""
        whole = set(waits)
        over = kind.spec.over
        _collect([s for name, s in inputs.items() if name not in over or not isinstance(s, FromNode)], whole)
        fed = {
            name: (source.node, source.output)
            for name in over
            if isinstance(source := inputs[name], FromNode)
            if source.node not in whole and isinstance(self.nodes[source.node].kind, MapKind)
        }
        return msgspec.structs.replace(kind, fed=fed)

    def _arms(self, number: int, node: NodeSpec, workflow: WorkflowSpec, scope: _Scope) -> None:
        """Tell a branch who belongs to its arms, and where its outputs come from."""
        kind, spec = self.nodes[number].kind, node.kind
        assert isinstance(kind, BranchKind)
        assert isinstance(spec, BranchSpec)
        for i in range(number + 1, len(self.nodes)):
            arm = self.nodes[i].arm
            if arm is not None and arm[0] == number:
                kind.members[arm[1]].append(i)
                kind.inside[arm[1]].append(i)
                within = self.nodes[i].kind
                if isinstance(within, BranchKind):
                    kind.inside[arm[1]] += [n for inside in within.inside for n in inside]
        kind.outputs[:] = [
            {v.name: scope.source(case.outputs[v.name], v.type) for v in spec.interface.outputs} for case in spec.cases
        ]
        # What an arm gives from outside of it has to be there when the branch ends.
        upstream = set(self.nodes[number].upstream)
        for i, outputs in enumerate(kind.outputs):
            read: set[int] = set()
            _collect(outputs.values(), read)
            upstream |= read.difference(kind.inside[i])
        self.nodes[number].upstream = tuple(sorted(upstream))


def _keeps(callee: WorkflowSpec, caller: WorkflowSpec) -> bool:
    """Whether a workflow has a failure policy, handler or timeout that is its own."""
    if callee.on_failure is not None or callee.timeout_s is not None:
        return True
    return callee.failure_policy not in (None, caller.failure_policy)


def overridden(task: TaskSpec, override: OverrideSpec) -> TaskSpec:
    """A task as one call of it wants it."""
    given = {
        name: value
        for name in ("retry", "timeout", "resources", "cache", "executor", "variables", "pool", "secrets")
        if (value := getattr(override, name)) is not None
    }
    if override.uncached:
        given["cache"] = None
    if task.formulas or override.formulas:  # an option that is overridden is overridden whole
        kept = {name: formula for name, formula in task.formulas.items() if name.partition(".")[0] not in given}
        given["formulas"] = {**kept, **override.formulas}
    return msgspec.structs.replace(task, **given)


def single(digest: str, task: TaskSpec) -> WorkflowSpec:
    """A workflow of one call."""
    node = NodeSpec(id="n0", inputs={v.name: Promise(output=v.name) for v in task.interface.inputs})
    outputs: dict[str, Binding] = {v.name: Promise(node="n0", output=v.name) for v in task.interface.outputs}
    return WorkflowSpec(
        name=task.name, interface=task.interface, calls=(digest,), nodes=(node,), outputs=outputs, doc=task.doc
    )


class _Scope:
    """The names inside one workflow's body while it is flattened."""

    def __init__(self, workflow: WorkflowSpec, given: Mapping[str, Source]) -> None:
        self.workflow, self.given = workflow, given
        self._nodes: dict[str, tuple[dict[str, Source], Interface, tuple[int, ...]]] = {}

    def add(self, node: str, outputs: dict[str, Source], interface: Interface, members: tuple[int, ...]) -> None:
        self._nodes[node] = outputs, interface, members

    def members(self, node: str) -> tuple[int, ...]:
        """The nodes of the plan that have to succeed for it to have succeeded."""
        return self._nodes[node][2]

    def inputs(self, node: NodeSpec, interface: Interface) -> dict[str, Source]:
        """Where each input of a call comes from; defaults are filled in."""
        bound = node.inputs
        return {
            v.name: self.source(bound[v.name], v.type) if v.name in bound else Fixed(Inline(v.default))
            for v in interface.inputs
        }

    def source(self, binding: Binding, target: LiteralType) -> Source:
        if type(binding) is Promise:  # as most are
            return self._promise(binding, target)
        match binding:
            case Constant():
                return Fixed(Inline(binding.value))
            case ListBinding():
                items = binding.items
                if isinstance(target, TupleType):
                    return ListOf(tuple([self.source(b, t) for b, t in zip(items, target.items, strict=True)]))
                assert isinstance(target, ListType)
                item = target.item
                return ListOf(tuple([self.source(b, item) for b in items]))
            case MapBinding():
                assert isinstance(target, DictType)
                return MapOf({k: self.source(b, target.value) for k, b in binding.items.items()})
            case _:
                return self._promise(binding, target)

    def _promise(self, promise: Promise, target: LiteralType) -> Source:
        if promise.node:
            sources, interface, _ = self._nodes[promise.node]
            of, variable = sources[promise.output], interface.output(promise.output)
        else:
            of, variable = self.given[promise.output], self.workflow.interface.input(promise.output)
        assert variable is not None
        whole, path = variable.type, promise.path
        part = select(whole, path) if path else whole
        convert = part is not target and needs_conversion(part, target)
        if not path and not convert:
            return of
        return Part(of, path, whole, target if convert else None)


def _collect(sources: Iterable[Source], into: set[int]) -> None:
    """Add the nodes that `sources` read."""
    for source in sources:
        if type(source) is FromNode:
            into.add(source.node)
        elif type(source) is ListOf:
            _collect(source.items, into)
        elif type(source) is MapOf:
            _collect(source.items.values(), into)
        elif type(source) is Part:
            _collect((source.of,), into)
