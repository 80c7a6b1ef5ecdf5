"""The plan of a recovery: what becomes of each node, and of those that were opened below it while the other execution ran. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec import Struct

from wingbeat.compile.flatten import flatten
from wingbeat.contracts.engine import LaunchRequest, NodeReuse, RecoveryPlan, ReuseDecision
from wingbeat.engine.difference import Fixed, Known
from wingbeat.engine.matching import alike
from wingbeat.engine.publish import what_of
from wingbeat.engine.reasons import (
    Why,
    of_body,
    of_kind,
    of_map,
    of_mapped_bodies,
    of_task,
    runs,
    undecided,
    unsuccessful,
)
from wingbeat.engine.reuse import NONE, Judge
from wingbeat.machine.graph import Graph, first_id, is_item, item_of, node_of
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import Closure
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import BranchKind, MapKind, Plan, PlanNode, ScopeKind

OPENED_MAX = 1000
"""How many nodes are listed that were opened while the other execution ran. All are counted."""


def foreseen(request: LaunchRequest, old: Machine, closure: Closure, lost: Mapping[int, str] = NONE) -> RecoveryPlan:
    """What launching `request` would take over of `old`, an execution of `closure`, node by node; then the nodes that it does
    not have any more. `lost`: see `reusable`."""
    plan = flatten(request.closure)
    judge = Judge(old, plan, request.inputs, lost)
    decided, matched = judge.all(), judge.matching.old
    listed = _Listed(old)
    listed.nodes(plan, decided, matched, Fixed(plan, same=request.closure == closure))
    standing = {*matched}
    gone = [
        NodeReuse(node.id, what_of(old.graph, i), ReuseDecision.GONE, "the workflow does not have it any more")
        for i, node in enumerate(old.plan.nodes)
        if i not in standing
    ]
    return RecoveryPlan(request.recover, request.closure.workflow.name, listed.lines + gone, listed.more)


class _Node(NamedTuple):
    """A node that is there or will be.

    Attributes:
        spec: The node in its plan: the new one, if that is known.

        at: Its numbers in the old execution: several if it was called again where it had failed, none if it is new.

        known: What is known of the tasks there.

        place: Its scope, and its number in the plan.

        decided: What was decided of it already.
    """

    id: str
    spec: PlanNode
    at: Sequence[int]
    known: Known
    place: tuple[int, int]
    decided: NodeReuse | None = None


class _Open(Struct):
    """Nodes that are gone through.

    Attributes:
        line: Index of the line of the node that opened them; -1 if it has none.

        tells: Whether that line says how many calls there are among them.

        quiet: Whether they are only counted.

        alone: Whether it is one that has the id of the node that opened it, and stands in its place.

        again: Ids of those that run again and that others wait for, by place.
    """

    nodes: Iterator[_Node]
    line: int = -1
    tells: bool = False
    quiet: bool = False
    alone: bool = False
    calls: int = 0
    kept: int = 0
    again: dict[tuple[int, int], str] = {}


class _Listed:
    """The lines of a plan.

    Attributes:
        more: How many nodes that were opened are not listed.
    """

    def __init__(self, old: Machine) -> None:
        self.lines: list[NodeReuse] = []
        self.more = 0
        self._old, self._graph, self._left = old, old.graph, OPENED_MAX
        self._calls: dict[int, dict[str, list[int]]] = {}  # scopes, by body and key
        self._bodies: dict[int, dict[int, list[int]]] = {}  # of items, by map and item
        for number, scope in enumerate(old.state.scopes):
            if scope.key:
                self._calls.setdefault(scope.parent, {}).setdefault(scope.key, []).append(number)
        for body in filter(is_item, self._calls):
            self._bodies.setdefault(node_of(body), {}).setdefault(item_of(body), []).append(body)

    def nodes(self, plan: Plan, decided: list[NodeReuse], matched: Sequence[int | None], known: Fixed) -> None:
        """Add the nodes of a plan that were decided upon, and what was opened below them."""
        nodes = (
            _Node(node.id, node, [j] if j is not None else [], known, (0, i), decided[i])
            for i, (node, j) in enumerate(zip(plan.nodes, matched, strict=True))
        )
        stack = [_Open(nodes)]
        while stack:
            top = stack[-1]
            node = next(top.nodes, None)
            if node is not None:
                inner = self._node(node, top)
                if inner is not None:
                    stack.append(inner)
                continue
            stack.pop()
            self._tell(top)
            if stack:
                stack[-1].calls += top.calls
                stack[-1].kept += top.kept

    def _node(self, node: _Node, top: _Open) -> _Open | None:
        """Add a node; answers with what was opened below it."""
        line, below = node.decided or self._line(node, top), self._below(node)
        if line.decision is ReuseDecision.RUNS and node.spec.downstream:
            top.again[node.place] = node.id
        if below is not None:
            below.quiet |= top.quiet
        elif self._counts(node):
            top.calls += 1
            top.kept += line.decision is ReuseDecision.OPEN and (line.items is None or line.kept > 0)
        if top.quiet or (below is not None and below.alone):
            return below
        if node.decided is None and not self._left:
            self.more += 1
            return below
        self._left -= node.decided is None
        self.lines.append(line)
        if below is not None:
            below.line = len(self.lines) - 1
        return below

    def _counts(self, node: _Node) -> bool:
        """Whether it is a call, and was made."""
        skipped = any(self._old.state.nodes[number].phase is NodePhase.SKIPPED for number in node.at)
        return not skipped and not isinstance(node.spec.kind, BranchKind)

    def _tell(self, done: _Open) -> None:
        """Complete the line of a body, now that what it called is counted."""
        if done.tells and done.line >= 0 and done.calls:
            line = self.lines[done.line]
            reason = f"{line.reason}; {done.kept} of {done.calls} calls may be kept"
            self.lines[done.line] = msgspec.structs.replace(line, reason=reason)

    # -- what becomes of a node that was opened

    def _line(self, node: _Node, top: _Open) -> NodeReuse:
        plan, number = node.known.plan, node.place[1]
        what = what_of(self._graph, node.at[-1]) if plan is None else what_of(Graph(plan), number)
        why = self._why(node)
        upstream = [(node.place[0], number) for number in node.spec.upstream]
        again = next((top.again[place] for place in upstream if place in top.again), None)
        if again is not None and why.decision is ReuseDecision.OPEN and why.items is None and node.spec.kind is None:
            why = undecided(f"kept if {again} gives the same")
        return NodeReuse(node.id, what, why.decision, why.reason, why.items, why.kept)

    def _why(self, node: _Node) -> Why:
        spec, known, nodes = node.spec, node.known, self._old.state.nodes
        if not node.at:
            return runs("it is new")
        if not self._alike(node):
            return runs("it was something else before")
        number = next((number for number in node.at if nodes[number].phase.success), node.at[-1])
        task, seen = self._graph.task(number), nodes[number]
        if isinstance(spec.kind, MapKind) and task is not None:
            mapping = self._old.state.maps.get(number)
            if mapping is None:
                return unsuccessful(seen)
            if task.dynamic:
                return of_mapped_bodies(mapping, known.body(spec, task))
            return of_map(mapping, known.task(spec, task))
        if spec.kind is not None:
            opens = not isinstance(spec.kind, ScopeKind) or number in self._graph.inside
            return of_kind(spec.kind) if opens else unsuccessful(seen)
        assert task is not None
        if any(number in self._old.state.bodies for number in node.at):
            return of_body(known.body(spec, task), arm=spec.arm is not None)
        if not seen.phase.success:
            return unsuccessful(seen)
        if seen.outputs is None:
            return runs("its outputs were not kept")
        return of_task(known.task(spec, task), arm=spec.arm is not None)

    def _alike(self, node: _Node) -> bool:
        plan, spec = node.known.plan, node.spec
        if plan is None:
            return True
        return alike(self._graph, node.at[-1], spec.kind, plan.tasks[spec.task] if spec.task >= 0 else None)

    # -- what was opened below a node

    def _below(self, node: _Node) -> _Open | None:
        if not node.at or not self._alike(node):
            return None
        spec, task = node.spec, self._graph.task(node.at[-1])
        if isinstance(spec.kind, ScopeKind):
            scopes = [self._graph.inside[number] for number in node.at if number in self._graph.inside]
            if not scopes:
                return None
            known = node.known.inside(spec)
            alone = len((known.plan or self._graph.plans[scopes[-1]]).nodes) == 1
            return _Open(self._scope(scopes, known), alone=alone)
        if task is None or not task.dynamic:
            return None
        if isinstance(spec.kind, MapKind):
            items: dict[int, list[int]] = {}
            for number in node.at:
                for item, bodies in self._bodies.get(number, {}).items():
                    items.setdefault(item, []).extend(bodies)
            known = node.known.called(spec)
            called = chain.from_iterable(self._called(bodies, known) for bodies in items.values())
            return _Open(called, tells=True, quiet=True)
        bodies = [number for number in node.at if number in self._old.state.bodies]
        return _Open(self._called(bodies, node.known.called(spec)), tells=True) if bodies else None

    def _called(self, bodies: Iterable[int], known: Known) -> Iterator[_Node]:
        """What a body called, which may be there several times: it was itself called again."""
        calls: dict[str, list[int]] = {}
        for body in bodies:
            for key, scopes in self._calls.get(body, {}).items():
                calls.setdefault(key, []).extend(scopes)
        return chain.from_iterable(self._scope(scopes, known) for scopes in calls.values())

    def _scope(self, scopes: list[int], known: Known) -> Iterator[_Node]:
        """The nodes of what is one scope in the new execution."""
        last, graph = scopes[-1], self._graph
        old, prefix = graph.plans[last], first_id(graph.prefix(last))
        plan = known.plan or old
        bases = [graph.bases[scope] for scope in scopes if graph.plans[scope] is old]
        single = len(plan.nodes) == 1
        for i, spec in enumerate(plan.nodes):
            number = old.index.get(spec.id) if single == (len(old.nodes) == 1) else None  # else the ids are others
            at = [] if number is None else [base + number for base in bases]
            yield _Node(prefix if single else f"{prefix}.{spec.id}", spec, at, known, (last, i))
