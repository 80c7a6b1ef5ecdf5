"""Recover: which results of an earlier execution hold in a new one, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from wingbeat.contracts.engine import NodeReuse, ReuseDecision
from wingbeat.engine.checkpoints import left
from wingbeat.engine.difference import Fate, body_difference, difference
from wingbeat.engine.matching import Matching, alike, called_again, newest_first, renamed
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
from wingbeat.machine import maps
from wingbeat.machine.fact import Left, Reusable
from wingbeat.machine.graph import Graph, item_address, node_of
from wingbeat.machine.state import PHASES, NodeState
from wingbeat.machine.step import Machine
from wingbeat.machine.values import resolve
from wingbeat.spec.codec import task_identity
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals
from wingbeat.spec.plan import Fixed, FromInput, Kind, MapKind, Plan, PlanNode
from wingbeat.types import ValueMismatch

NONE: Mapping[int, str] = {}


class Reuse(Struct, frozen=True):
    """What is taken over.

    Attributes:
        nodes: Outputs by node of the new plan.

        later: By id, what may be taken over when it starts: of nodes behind a map, a branch, a gate or a dynamic workflow, and of
            nodes that are not there yet: items of maps, and what maps, branches and dynamic workflows run.

        left: By id, nodes that did not succeed and may have left a checkpoint.

        moved: By id, what nodes are called in the earlier execution, if otherwise; empty if they stand for none of it.
    """

    nodes: dict[int, Literals] = {}
    later: dict[str, Reusable] = {}
    left: dict[str, Left] = {}
    moved: dict[str, str] = {}


def reusable(source: str, old: Machine, plan: Plan, inputs: Literals, lost: Mapping[int, str] = NONE) -> Reuse:
    """What of `old`, the execution `source`, holds in an execution of `plan` with these inputs.

    A result is taken over if the node that it stands for (`Matching`) succeeded, its task is the same (name, code, interface,
    environment, wrappers, variables), its inputs have the same values, and nothing upstream is computed again. What is behind a
    node that is decided upon when it starts is decided upon then, by its inputs. `lost` says what is wrong with results whose
    content is gone, by address.
    """
    judge = Judge(old, plan, inputs, lost)
    found = judge.all()
    later = dict(renamed(judge.matching, _later(old, lost)))
    decided = {
        node.id
        for node, each in zip(plan.nodes, found, strict=True)
        if _plain(node) and each.decision is not ReuseDecision.OPEN
    }
    later = newest_first({name: found for name, found in later.items() if name not in decided})
    moved = {**judge.matching.moves(), **called_again(old, judge.matching)}
    return Reuse(judge.taken, later, left(source, old, judge.matching), moved)


def _plain(node: PlanNode) -> bool:
    return node.kind is None


class Judge:
    """Decides over the nodes of a plan, in their order.

    Attributes:
        taken: Outputs of those that are taken over at once.

        matching: Which nodes they stand for.
    """

    def __init__(self, old: Machine, plan: Plan, inputs: Literals, lost: Mapping[int, str] = NONE) -> None:
        self._old, self._plan, self._inputs, self._lost = old, plan, inputs, lost
        self._graph, self.matching = Graph(plan), Matching(old.plan, plan)
        self.taken: dict[int, Literals] = {}
        self._again: set[int] = set()

    def all(self) -> list[NodeReuse]:
        """The decision for each node."""
        return [self._one(i, node) for i, node in enumerate(self._plan.nodes)]

    def _one(self, i: int, node: PlanNode) -> NodeReuse:
        why = self._task(i, node) if node.kind is None else self._kind(i, node, node.kind)
        decision = ReuseDecision.REUSED if i in self.taken else why.decision
        if decision is ReuseDecision.RUNS and (_plain(node) or self.matching.old[i] is None):
            self._again.add(i)
        before = self.matching.before(i)
        reason = f"it was {before}" if decision is ReuseDecision.REUSED and before != node.id else why.reason
        return NodeReuse(node.id, what_of(self._graph, i), decision, reason, why.items, why.kept)

    # -- what calls a task

    def _task(self, i: int, node: PlanNode) -> Why:
        """A node that calls a task, or a dynamic workflow."""
        j, task = self.matching.old[i], self._plan.tasks[node.task]
        old_task = None if j is None else self._old.graph.task(j)
        if j is None or old_task is None or not alike(self._old.graph, j, node.kind, task):
            return runs("it is new" if j is None else "it was something else before")
        seen = self._old.state.nodes[j]
        if j in self._old.state.bodies:
            return of_body(body_difference(old_task, task), arm=node.arm is not None)
        if not seen.phase.success:
            return unsuccessful(seen, old_task, task)
        fate = Fate(difference(old_task, task))
        if fate.difference:
            return runs(fate.difference)
        if j in self._lost:
            return runs(f"what it gave is lost: {self._lost[j]}")
        again = [u for u in node.upstream if u in self._again]
        if again:
            return runs(f"{self._plan.nodes[again[0]].id} runs again")
        if node.arm is not None:
            return of_task(fate, arm=True)
        open_ = [u for u in node.upstream if u not in self.taken]
        if open_:
            return undecided(f"kept if {self._plan.nodes[open_[0]].id} gives the same")
        return self._by_inputs(i, j, node, seen)

    def _by_inputs(self, i: int, j: int, node: PlanNode, seen: NodeState) -> Why:
        """Everything else is the same: whether the inputs are."""
        try:
            new = resolve(node.inputs, self._inputs, self.taken.get)
        except ValueMismatch as error:
            return runs(f"an input cannot be taken: {error}")
        before = self._old.values(j)
        differ = [name for name in new if new[name] != before.get(name)]
        if differ:
            return runs(f"input {differ[0]!r} differs")
        if seen.outputs is None:
            return runs("its outputs were not kept")
        self.taken[i] = seen.outputs
        return Why(ReuseDecision.REUSED)

    # -- what calls no task by itself

    def _kind(self, i: int, node: PlanNode, kind: Kind) -> Why:
        j, task = self.matching.old[i], self._plan.tasks[node.task] if node.task >= 0 else None
        if j is None or not alike(self._old.graph, j, kind, task):
            return runs("it is new" if j is None else "it was something else before")
        if not isinstance(kind, MapKind):
            return of_kind(kind)
        mapping, old_task = self._old.state.maps.get(j), self._old.graph.task(j)
        if mapping is None:
            return unsuccessful(self._old.state.nodes[j], old_task, task)
        if task is None or old_task is None:
            return of_kind(kind)
        if task.dynamic:
            return of_mapped_bodies(mapping, body_difference(old_task, task))
        fate = Fate(difference(old_task, task))
        if not fate.difference and (name := self._other_constant(j, node, kind)):
            return runs(f"input {name!r} differs, which all items share")
        return of_map(mapping, fate)

    def _other_constant(self, j: int, node: PlanNode, kind: MapKind) -> str:
        """An input that all items of a map are given, and that is known to be another one by now; empty if there is none."""
        before = _constants(self._old.plan.nodes[j], kind, self._old.inputs)
        now = _constants(node, kind, self._inputs)
        return next((name for name in now if name in before and now[name] != before[name]), "")


def _constants(node: PlanNode, kind: MapKind, inputs: Literals) -> Literals:
    """What all items of a map are given, as far as it does not come from other nodes."""
    known = {name: source for name, source in node.inputs.items() if isinstance(source, Fixed | FromInput)}
    return resolve({name: known[name] for name in known if name not in kind.spec.over}, inputs, lambda _: None)


# -- what is decided upon later


def results(old: Machine) -> Iterator[tuple[int, Literals]]:
    """What tasks have computed in it, by the address of the node or item."""
    for number, node in enumerate(old.state.nodes):
        task = old.graph.task(number)
        if task is None or task.dynamic:
            continue
        if number in old.state.maps:
            yield from _items(old, number)
        elif node.phase.success and node.outputs is not None:
            yield number, node.outputs


def _later(old: Machine, lost: Mapping[int, str]) -> Iterator[tuple[str, Reusable]]:
    """Everything that succeeded in it, if a task computed it."""
    identities: dict[int, str] = {}
    for address, outputs in results(old):
        number, task = node_of(address), old.graph.task(address)
        if address in lost or task is None:
            continue
        if number not in identities:
            identities[number] = task_identity(task)
        yield old.graph.id(address), Reusable(identities[number], old.values(address), outputs)


def _items(old: Machine, number: int) -> Iterator[tuple[int, Literals]]:
    if not maps.ready(old, number):
        return  # its lists cannot be read any more
    mapping, whole = old.state.maps[number], old.state.nodes[number].outputs
    if number in old.unread(ended=True):
        return  # what it went over cannot be read any more
    for item in range(mapping.total):
        if not PHASES[mapping.phases[item]].success:
            continue
        if whole is None:
            parts = {name: values[item] for name, values in mapping.outputs.items()}
        else:
            parts = {name: _part(values, item) for name, values in whole.items()}
        outputs = {name: part for name, part in parts.items() if part is not None}
        if len(outputs) == len(parts):
            yield item_address(number, item), outputs


def _part(values: Literal, item: int) -> Literal | None:
    if isinstance(values, LiteralList):
        return values.items[item]
    return Inline(values.value[item]) if isinstance(values, Inline) else None
