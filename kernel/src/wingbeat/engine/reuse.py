"""Recover: which results of an earlier execution hold in a new one, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from wingbeat.contracts.engine import NodeReuse, ReuseDecision
from wingbeat.engine.checkpoints import left
from wingbeat.engine.publish import what_of
from wingbeat.machine import maps
from wingbeat.machine.fact import Left, Reusable
from wingbeat.machine.graph import Graph, item_address
from wingbeat.machine.state import PHASES, NodeState
from wingbeat.machine.step import Machine
from wingbeat.machine.values import resolve
from wingbeat.spec.codec import task_identity
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, MapKind, Plan, PlanNode, ScopeKind
from wingbeat.types import ValueMismatch


class Reuse(Struct, frozen=True):
    """What is taken over.

    Attributes:
        nodes: Outputs by node of the new plan.

        later: By id, what may be taken over when it starts: of nodes behind a map, a branch, a gate or a dynamic workflow, and of
            nodes that are not there yet: items of maps, and what maps, branches and dynamic workflows run.

        left: By id, nodes that did not succeed and may have left a checkpoint.
    """

    nodes: dict[int, Literals] = {}
    later: dict[str, Reusable] = {}
    left: dict[str, Left] = {}


def reusable(source: str, old: Machine, plan: Plan, inputs: Literals) -> Reuse:
    """What of `old`, the execution `source`, holds in an execution of `plan` with these inputs.

    A result is taken over if the node of the same id succeeded, its task is the same (name, code, interface, environment,
    wrappers, variables), its inputs have the same values, and nothing upstream is computed again. What is behind a node that
    is decided upon when it starts is decided upon then, by its inputs.
    """
    judge = Judge(old, plan, inputs)
    found = judge.all()
    decided = {
        node.id
        for node, each in zip(plan.nodes, found, strict=True)
        if _plain(node) and each.decision is not ReuseDecision.OPEN
    }
    return Reuse(judge.taken, {name: later for name, later in _later(old) if name not in decided}, left(source, old))


def explained(old: Machine, plan: Plan, inputs: Literals) -> list[NodeReuse]:
    """What `reusable` decides of each node of `plan`, and why; then the nodes that `plan` does not have any more."""
    gone = [
        NodeReuse(node.id, what_of(old.graph, i), ReuseDecision.GONE, "the workflow does not have it any more")
        for i, node in enumerate(old.plan.nodes)
        if node.id not in plan.index
    ]
    return Judge(old, plan, inputs).all() + gone


def _plain(node: PlanNode) -> bool:
    return node.kind is None


class Judge:
    """Decides over the nodes of a plan, in their order.

    Attributes:
        taken: Outputs of those that are taken over at once.
    """

    def __init__(self, old: Machine, plan: Plan, inputs: Literals) -> None:
        self._old, self._plan, self._inputs = old, plan, inputs
        self._graph = Graph(plan)
        self.taken: dict[int, Literals] = {}
        self._again: set[int] = set()

    def all(self) -> list[NodeReuse]:
        """The decision for each node."""
        return [self._one(i, node) for i, node in enumerate(self._plan.nodes)]

    def _one(self, i: int, node: PlanNode) -> NodeReuse:
        why = self._kind(i, node) if node.kind is not None else self._task(i, node)
        decision = ReuseDecision.REUSED if i in self.taken else why.decision
        if decision is ReuseDecision.RUNS and (_plain(node) or self._number(node) is None):
            self._again.add(i)
        return NodeReuse(node.id, what_of(self._graph, i), decision, why.reason, why.items, why.kept)

    def _number(self, node: PlanNode) -> int | None:
        return self._old.plan.index.get(node.id)

    # -- what calls a task

    def _task(self, i: int, node: PlanNode) -> _Why:
        """A node that calls a task, or a dynamic workflow."""
        j, task = self._number(node), self._plan.tasks[node.task]
        old_task = None if j is None else self._old.graph.task(j)
        if j is None or old_task is None or self._old.graph.kind(j) is not None:
            return _runs("it is new" if j is None else "it was something else before")
        difference = _difference(old_task, task)
        if task.dynamic:
            why = f"{difference}; " if difference else ""
            return _open(f"{why}its body runs again, and what it called that succeeded is kept")
        seen = self._old.state.nodes[j]
        if not seen.phase.success:
            return _runs(_unsuccessful(seen))
        if difference:
            return _runs(difference)
        again = [u for u in node.upstream if u in self._again]
        if again:
            return _runs(f"{self._plan.nodes[again[0]].id} runs again")
        if node.arm is not None:
            return _open("kept if its arm is taken and its inputs are the same then")
        undecided = [u for u in node.upstream if u not in self.taken]
        if undecided:
            return _open(f"kept if {self._plan.nodes[undecided[0]].id} gives the same")
        return self._by_inputs(i, j, node, seen)

    def _by_inputs(self, i: int, j: int, node: PlanNode, seen: NodeState) -> _Why:
        """Everything else is the same: whether the inputs are."""
        try:
            new = resolve(node.inputs, self._inputs, self.taken.get)
        except ValueMismatch as error:
            return _runs(f"an input cannot be taken: {error}")
        before = self._old.values(j)
        differ = [name for name in new if new[name] != before.get(name)]
        if differ:
            return _runs(f"input {differ[0]!r} differs")
        if seen.outputs is None:
            return _runs("its outputs were not kept")
        self.taken[i] = seen.outputs
        return _Why(ReuseDecision.REUSED)

    # -- what calls no task by itself

    def _kind(self, i: int, node: PlanNode) -> _Why:
        j = self._number(node)
        if j is None or type(self._old.graph.kind(j)) is not type(node.kind):
            return _runs("it is new" if j is None else "it was something else before")
        match node.kind:
            case MapKind():
                return self._map(j, node)
            case BranchKind():
                return _open("its conditions are evaluated again")
            case GateKind(spec=spec):
                return _runs("it waits again" if spec.gate == "sleep" else "it is asked again")
            case ChildKind():
                return _runs("its execution is launched again")
            case ScopeKind():
                return _open("its nodes that succeeded are kept where nothing changed")
            case _:
                return _runs("")

    def _map(self, j: int, node: PlanNode) -> _Why:
        mapping, old_task = self._old.state.maps.get(j), self._old.graph.task(j)
        if mapping is None:
            return _runs(_unsuccessful(self._old.state.nodes[j]))
        if isinstance(node.kind, MapKind) and node.kind.child is not None:
            return _runs("the executions of its items are launched again")
        if node.task < 0 or old_task is None:
            return _open("what succeeded in its items is kept where nothing changed")
        difference = _difference(old_task, self._plan.tasks[node.task])
        if difference:
            return _Why(ReuseDecision.RUNS, difference, mapping.total)
        reason = "an item is kept if its inputs are the same then"
        return _Why(ReuseDecision.OPEN, reason, mapping.total, mapping.succeeded)


class _Why(Struct, frozen=True):
    decision: ReuseDecision
    reason: str = ""
    items: int | None = None
    kept: int = 0


def _runs(reason: str) -> _Why:
    return _Why(ReuseDecision.RUNS, reason)


def _open(reason: str) -> _Why:
    return _Why(ReuseDecision.OPEN, reason)


def _unsuccessful(node: NodeState) -> str:
    if node.phase is NodePhase.NOT_STARTED:
        return "it had not run"
    if node.phase is NodePhase.SKIPPED:
        return "it was skipped"
    return f"it did not succeed ({node.phase.value})"


def _difference(old: TaskSpec, new: TaskSpec) -> str:
    """In what a task differs that decides over its outputs; empty if in nothing."""
    if task_identity(old) == task_identity(new):
        return ""
    if old.name != new.name:
        return f"it called {old.name} before"
    parts = ("code", "interface", "environment", "wrappers", "variables")
    changed = next((part for part in parts if getattr(old, part) != getattr(new, part)), "task")
    return f"the {changed} of {new.name} changed"


# -- what is decided upon later


def _later(old: Machine) -> list[tuple[str, Reusable]]:
    """Everything that succeeded in it, if a task computed it."""
    graph, state = old.graph, old.state
    found: list[tuple[str, Reusable]] = []
    for number, node in enumerate(state.nodes):
        task = graph.task(number)
        if task is None or task.dynamic:
            continue
        if number in state.maps:
            found += _items(old, number, task_identity(task))
        elif node.phase.success and node.outputs is not None:
            found.append((graph.id(number), Reusable(task_identity(task), old.values(number), node.outputs)))
    return found


def _items(old: Machine, number: int, identity: str) -> Iterator[tuple[str, Reusable]]:
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
            address = item_address(number, item)
            yield old.graph.id(address), Reusable(identity, old.values(address), outputs)


def _part(values: Literal, item: int) -> Literal | None:
    if isinstance(values, LiteralList):
        return values.items[item]
    return Inline(values.value[item]) if isinstance(values, Inline) else None
