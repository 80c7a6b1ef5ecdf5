"""The nodes of one execution: those of its plan, and those that scopes have added while it ran.

A node is known by its number in the order in which it was added; an item of a map by an address above all numbers. Both are
what facts, events and effects call ``node``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from wingbeat.spec.entities import Borrowed, TaskSpec
from wingbeat.spec.plan import ChildKind, Kind, MapKind, Plan, PlanNode, ScopeKind

HANDLER = "on_failure"
"""Last part of the id of a failure handler's scope."""
_AGAIN = re.compile(r"~\d+(?=\.|$)")
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1


def first_id(id: str) -> str:
    """The id of a node where nothing above it was called again: without the ``~1`` of what had failed before."""
    return _AGAIN.sub("", id) if "~" in id else id


def item_address(node: int, item: int) -> int:
    """The address of an item of the map `node`."""
    return node | (item + 1) << _SHIFT


def is_item(address: int) -> bool:
    """Whether it is an item of a map, not a node."""
    return address > _MASK


def node_of(address: int) -> int:
    """The number of the node, for an item that of its map."""
    return address & _MASK


def item_of(address: int) -> int:
    """The index of an item in its map; -1 for a node."""
    return (address >> _SHIFT) - 1


class Graph:
    """All nodes of an execution.

    Args:
        plan: What was launched.

        templates: Plans by the digest of their closure, for what dynamic workflows call. May grow.

    Attributes:
        nodes: By number.

        plans: By scope.

        bases: By scope, the number of its first node.

        depths: By scope, in how many others it runs.

        parents: By scope, the node or item for which it runs, for a failure handler that of what has failed; -1 for none.

        inside: By node or item that runs a workflow, its scope.

        calls: By body and key, how often that was called: again, where it had failed.
    """

    def __init__(self, plan: Plan, templates: Mapping[str, Plan] | None = None) -> None:
        self.plan = plan
        self.templates: dict[str, Plan] = dict(templates or {})
        self.nodes: list[PlanNode] = plan.nodes
        self.plans = [plan]
        self.bases = [0]
        self.depths = [0]
        self.parents = [-1]
        self.inside: dict[int, int] = {}
        self.calls: dict[tuple[int, str], int] = {}
        self._prefixes = [""]
        self._grown: dict[str, int] = {}
        self._told = 1
        self._root = len(plan.nodes)
        self._borrows = bool(plan.borrowed)

    def scope_of(self, node: int) -> int:
        """The scope that a node belongs to."""
        return 0 if node < self._root else bisect_right(self.bases, node) - 1

    def base_of(self, node: int) -> int:
        """The number of the first node of its scope."""
        return 0 if node < self._root else self.bases[self.scope_of(node)]

    def task(self, address: int) -> TaskSpec | None:
        """The task that a node or item calls, if it calls one."""
        number = address & _MASK
        index = self.nodes[number].task
        if index < 0:
            return None
        # asked several times for every node and item; most are there from the beginning
        return self.plan.tasks[index] if number < self._root else self.plans[self.scope_of(number)].tasks[index]

    def called(self, address: int) -> TaskSpec:
        """The task of a node or item that calls one."""
        number = address & _MASK
        index = self.nodes[number].task
        assert index >= 0, "it calls no task"
        return self.plan.tasks[index] if number < self._root else self.plans[self.scope_of(number)].tasks[index]

    def kind(self, address: int) -> Kind | None:
        """What a node is, for an item what its map is; None for a task."""
        return self.nodes[node_of(address)].kind

    def launches(self, address: int) -> bool:
        """Whether it is an execution of its own that runs for a node or item."""
        kind = self.kind(address)
        return isinstance(kind, ChildKind) or (
            isinstance(kind, MapKind) and is_item(address) and kind.child is not None
        )

    def digest(self, address: int) -> str:
        """The digest of that task."""
        number = node_of(address)
        return self.plans[self.scope_of(number)].digests[self.nodes[number].task]

    def borrowed(self, address: int) -> Borrowed | None:
        """Where the function of its task is, if that is elsewhere: it is borrowed itself, or was called by a body that is."""
        return self._lent(address)[0]

    def borrowed_as_registered(self, address: int) -> Borrowed | None:
        """The same; None also where what is borrowed is called with other options."""
        found, changed = self._lent(address)
        return None if changed else found

    def _lent(self, address: int) -> tuple[Borrowed | None, bool]:
        while self._borrows:
            number = address & _MASK
            scope = self.scope_of(number)
            plan, index = self.plans[scope], self.nodes[number].task
            found = plan.borrowed.get(index)
            address = self.parents[scope]
            if found is not None or address < 0:
                return found, index in plan.changed
        return None, False

    def template(self, parent: int, digest: str, handler_of: int = -1) -> Plan:
        """The plan of a scope to be: what a dynamic workflow called, or what its parent says."""
        if handler_of >= 0:
            handler = self.plans[handler_of].handler
            assert handler is not None
            return handler
        if digest:
            return self.templates[digest]
        kind = self.nodes[node_of(parent)].kind
        assert isinstance(kind, MapKind | ScopeKind)
        assert kind.plan is not None
        return kind.plan

    def open(self, plan: Plan, prefix: str, parent: int, key: str = "", handler_of: int = -1) -> int:
        """Add the nodes of `plan`, which runs for `parent` (-1 for none), or which that, a body, has called under `key`, or which
        handles the failure of a scope; answers with the number of the first."""
        base = len(self.nodes)
        if self.nodes is self.plan.nodes:
            self.nodes = list(self.nodes)
        self.nodes += plan.nodes
        self.plans.append(plan)
        self._borrows = self._borrows or bool(plan.borrowed)
        self.bases.append(base)
        around = handler_of if handler_of >= 0 else self.scope_of(node_of(parent)) if parent >= 0 else 0
        self.depths.append(self.depths[around] + 1)
        self.parents.append(parent if handler_of < 0 else self.parents[handler_of])
        self._prefixes.append(prefix)
        if key:
            self.calls[parent, key] = self.calls.get((parent, key), 0) + 1
        elif parent >= 0:
            self.inside[parent] = len(self.plans) - 1
        return base

    def id(self, address: int) -> str:
        """The id by which people know a node or item: a path from the root."""
        if address < self._root:  # as most are
            return self.nodes[address].id
        number = node_of(address)
        if number < self._root:
            found = self.nodes[number].id
        else:
            scope = self.scope_of(number)
            found = _join(self._prefixes[scope], self.nodes[number].id, len(self.plans[scope].nodes))
        return f"{found}.{item_of(address)}" if address != number else found

    def prefix(self, scope: int) -> str:
        """The id by which people know a scope; empty for the execution itself."""
        return self._prefixes[scope]

    def doubled(self, address: int) -> bool:
        """Whether it runs a workflow of one node, which has its id: people are shown that node in its place."""
        scope = self.inside.get(address)
        return scope is not None and len(self.plans[scope].nodes) == 1

    def find(self, id: str) -> int | None:
        """The node or item of that id."""
        if self._told < len(self.plans):
            self._tell()
        found = self._named(id)
        if found is None:
            head, _, item = id.rpartition(".")
            number = self._named(head) if item.isdecimal() and len(item) < 10 else None
            if number is not None and isinstance(self.nodes[number].kind, MapKind):
                found = item_address(number, int(item))
        return found

    def _named(self, id: str) -> int | None:
        found = self._grown.get(id)  # first: the only node of a workflow has the id of the node that runs the workflow
        return self.plan.index.get(id) if found is None else found

    def _tell(self) -> None:
        """Write down the ids of what was opened since somebody asked for one. A replay asks for none."""
        for scope in range(self._told, len(self.plans)):
            nodes, base, prefix = self.plans[scope].nodes, self.bases[scope], self._prefixes[scope]
            for i, node in enumerate(nodes, base):
                self._grown[_join(prefix, node.id, len(nodes))] = i
        self._told = len(self.plans)


def _join(prefix: str, id: str, count: int) -> str:
    """Where there is but one node, the path says enough."""
    return prefix if prefix and count == 1 else f"{prefix}.{id}" if prefix else id
