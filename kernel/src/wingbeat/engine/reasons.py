"""Why the result of a node does or does not hold in another execution, for people. Pure."""

from __future__ import annotations

from msgspec import Struct

from wingbeat.contracts.engine import ReuseDecision
from wingbeat.engine.difference import Fate
from wingbeat.machine.state import MapState, NodeState
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, Kind, ScopeKind


class Why(Struct, frozen=True):
    """A decision and its reason; of a map also its items, and how many of them may be kept."""

    decision: ReuseDecision
    reason: str = ""
    items: int | None = None
    kept: int = 0


def runs(reason: str) -> Why:
    """It is computed again."""
    return Why(ReuseDecision.RUNS, reason)


def undecided(reason: str) -> Why:
    """It is decided upon when it starts."""
    return Why(ReuseDecision.OPEN, reason)


def unsuccessful(node: NodeState, before: TaskSpec | None = None, task: TaskSpec | None = None) -> Why:
    """Of a node without a result, which called the task `before` and calls `task` now."""
    if before is not None and task is not None and before.name != task.name:
        return runs(f"it called {before.name} before")
    if node.phase is NodePhase.NOT_STARTED:
        return runs("it had not run")
    if node.phase is NodePhase.SKIPPED:
        return runs("it was skipped")
    return runs(f"it did not succeed ({node.phase.value})")


def of_body(difference: str, *, arm: bool) -> Why:
    """Of a dynamic workflow whose body had begun."""
    again = "its body runs again if its arm is taken" if arm else "its body runs again"
    return undecided(f"{difference}; {again}" if difference else again)


def of_task(fate: Fate, *, arm: bool) -> Why:
    """Of what called a task, and succeeded."""
    if fate.difference:
        return runs(fate.difference)
    if fate.called and not arm:
        return undecided(f"kept if the body calls it again with the same {fate.same}")
    return undecided(f"kept if {'its arm is taken and ' if arm else ''}its {fate.same} are the same then")


def of_map(mapping: MapState, fate: Fate) -> Why:
    """Of a map over a task that had begun."""
    if fate.difference:
        return Why(ReuseDecision.RUNS, fate.difference, mapping.total)
    reason = f"an item is kept if its {fate.same} are the same then"
    return Why(ReuseDecision.OPEN, reason, mapping.total, mapping.succeeded)


def of_mapped_bodies(mapping: MapState, difference: str) -> Why:
    """Of a map over a dynamic workflow that had begun."""
    again = f"the bodies of its {mapping.total} items run again"
    return undecided(f"{difference}; {again}" if difference else again)


def of_kind(kind: Kind) -> Why:
    """Of what calls no task by itself; of a map, one over a workflow or a launch plan."""
    match kind:
        case BranchKind():
            return undecided("its conditions are evaluated again")
        case GateKind(spec=spec):
            return runs("it waits again" if spec.gate == "sleep" else "it is asked again")
        case ChildKind():
            return undecided("its execution is launched again, and keeps what succeeded in it")
        case ScopeKind():
            return undecided("its nodes that succeeded are kept where nothing changed")
        case _ if kind.child is not None:
            return undecided("the executions of its items are launched again, and keep what succeeded in them")
        case _:
            return undecided("what succeeded in its items is kept where nothing changed")
