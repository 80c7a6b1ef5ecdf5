"""Which node of an earlier execution one of a new version stands for: that of the same id, unless that calls something else by now,
as where a call was put before it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from wingbeat.machine.graph import Graph, first_id
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.plan import ChildKind, Kind, MapKind, Plan, ScopeKind

T = TypeVar("T")

_CALLS = re.compile(r"-\d+(?:~(\d+))?(?=\.|$)")


def alike(old: Graph, number: int, kind: Kind | None, task: TaskSpec | None) -> bool:
    """Whether a node of a new plan, of that kind, is the same sort of thing as one of another graph."""
    before = old.task(number)
    same = (before is None, before is not None and before.dynamic) == (task is None, task is not None and task.dynamic)
    return same and type(old.kind(number)) is type(kind)


class Matching:
    """The nodes of two plans, of which each stands for one of the other, or for none.

    Attributes:
        old: By the number of a node of the new plan, that of the old one.
    """

    def __init__(self, old: Plan, plan: Plan) -> None:
        self._ids, self._index = [node.id for node in old.nodes], old.index
        self.old: list[int | None] = [None] * len(plan.nodes)
        called, calls = list(_called(old)), list(_called(plan))
        free = dict.fromkeys(range(len(called)))
        same = [old.index.get(node.id) for node in plan.nodes]
        for i, j in enumerate(same):
            if j is not None and called[j] == calls[i]:
                self._match(i, j, free)
        left: dict[object, list[int]] = {}
        for j in reversed(free):
            left.setdefault(called[j], []).append(j)
        for i, j in enumerate(self.old):
            if j is None and calls[i] and (others := left.get(calls[i])):
                self._match(i, others.pop(), free)
        for i, j in enumerate(same):  # what is something else by now is told so
            if self.old[i] is None and j in free:
                self._match(i, j, free)
        self._plan = plan
        self._new = {j: plan.nodes[i].id for i, j in enumerate(self.old) if j is not None}
        self.moved = any(self._ids[j] != id for j, id in self._new.items()) or bool(free)

    def _match(self, i: int, j: int, free: dict[int, None]) -> None:
        self.old[i] = j
        del free[j]

    def before(self, i: int) -> str:
        """The id of the old node of a new one; empty if it has none."""
        j = self.old[i]
        return "" if j is None else self._ids[j]

    def moves(self) -> dict[str, str]:
        """By id of new nodes, that of the old ones, where it is another; empty where there is none."""
        if not self.moved:
            return {}
        return {node.id: self.before(i) for i, node in enumerate(self._plan.nodes) if self.before(i) != node.id}

    def renamed(self, name: str) -> str | None:
        """The id that a node of the old execution, or one inside of it, has in the new one; None if it has none."""
        if not self.moved:
            return name
        root = name
        while root not in self._index:
            if not root:
                return name  # of a failure handler
            root = root.rpartition(".")[0]
        new = self._new.get(self._index[root])
        return None if new is None else new + name[len(root) :]


def renamed(matching: Matching, found: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """The same by the ids of the new execution, without what is not in it."""
    for name, each in found:
        new = matching.renamed(name)
        if new is not None:
            yield new, each


def newest_first(found: dict[str, T]) -> dict[str, T]:
    """The same by names of which the first, that of a call that was not called again, stands for the newest of them: what came of
    a call that a body made when it was begun anew, and not of one that had failed. The others keep what is left of the names."""
    again: dict[str, list[str]] = {}
    for name in found:
        if (first := first_id(name)) != name:
            again.setdefault(first, []).append(name)
    for first, later in again.items():
        names = sorted([*later, *([first] if first in found else [])], key=_times, reverse=True)
        each = [found.pop(name) for name in names]
        found.update(zip([first, *(name for name in names if name != first)], each, strict=False))
    return found


def called_again(old: Machine, matching: Matching) -> dict[str, str]:
    """By the id of what bodies called when they were run for the first time, that of the last time."""
    found: dict[str, str] = {}
    for number, scope in enumerate(old.state.scopes):
        if scope.key and "~" in (last := old.graph.prefix(number)):
            name = matching.renamed(first_id(last))
            if name is not None:
                found[name] = last
    return found


def _times(name: str) -> tuple[int, ...]:
    """How often each call of the path had been made before."""
    return tuple(int(again or 0) for again in _CALLS.findall(name))


def _called(plan: Plan) -> Iterator[tuple[str, ...]]:
    """What each node calls, by name; empty where that has none by which it is known."""
    for node in plan.nodes:
        kind = type(node.kind).__name__
        child = node.kind.child if isinstance(node.kind, MapKind) else node.kind
        if node.task >= 0:
            yield kind, plan.tasks[node.task].name
        elif isinstance(child, ChildKind):
            yield kind, child.launchplan.name
        elif isinstance(node.kind, ScopeKind | MapKind) and node.kind.plan is not None:
            yield kind, node.kind.plan.name
        else:
            yield ()
