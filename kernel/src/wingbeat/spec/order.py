"""Which calls of a workflow others follow, and an order in which none stands before what it follows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from wingbeat.spec.entities import Binding, BranchSpec, Constant, ListBinding, MapBinding, NodeSpec, Promise


class Circle(ValueError):
    """Calls that follow each other; `nodes` are their ids."""

    def __init__(self, nodes: Sequence[str]) -> None:
        super().__init__(f"{', '.join(nodes)} follow each other")
        self.nodes = nodes


def nodes_of(binding: Binding) -> Iterator[str]:
    """The nodes that a binding names."""
    match binding:
        case Promise(node=node):
            if node:
                yield node
        case ListBinding(items=items):
            for item in items:
                yield from nodes_of(item)
        case MapBinding(items=named):
            for item in named.values():
                yield from nodes_of(item)
        case Constant():
            return


def in_order(nodes: Sequence[NodeSpec]) -> tuple[NodeSpec, ...]:
    """The same nodes, as they stand but for those that stand before what they follow. Raises Circle."""
    index = {node.id: i for i, node in enumerate(nodes)}
    follows = [{index[name] for name in _followed(node, index)} for node in nodes]
    if all(above < i for i, known in enumerate(follows) for above in known):
        return tuple(nodes)
    followers: list[list[int]] = [[] for _ in nodes]
    for i, known in enumerate(follows):
        for above in known:
            followers[above].append(i)
    waits = [len(known) for known in follows]
    ready = [i for i, count in enumerate(waits) if not count]
    heapify(ready)
    found: list[NodeSpec] = []
    while ready:
        i = heappop(ready)
        found.append(nodes[i])
        for follower in followers[i]:
            waits[follower] -= 1
            if not waits[follower]:
                heappush(ready, follower)
    if len(found) < len(nodes):
        raise Circle([nodes[i].id for i in _around({i for i, count in enumerate(waits) if count}, followers)])
    return tuple(found)


def _around(left: set[int], followers: Sequence[Sequence[int]]) -> list[int]:
    """Those that are left because they follow each other, and not because of that."""
    while behind := {i for i in left if left.isdisjoint(followers[i])}:
        left = left - behind
    return sorted(left)


def _followed(node: NodeSpec, index: dict[str, int]) -> Iterator[str]:
    yield from node.after
    for binding in node.inputs.values():
        yield from nodes_of(binding)
    if node.arm is not None:
        yield node.arm.branch
    if isinstance(node.kind, BranchSpec):  # what its arms give from outside of them
        for case in node.kind.cases:
            for binding in case.outputs.values():
                yield from (name for name in nodes_of(binding) if index[name] < index[node.id])
