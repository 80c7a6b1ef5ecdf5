"""Why a node's outputs were or were not taken from the catalog, in words."""

from __future__ import annotations

from collections.abc import Sequence

from wingbeat.base.errors import NotFound
from wingbeat.contracts.observer import Published
from wingbeat.engine.live import Live
from wingbeat.engine.memo import cache_key
from wingbeat.machine import maps
from wingbeat.machine.graph import is_item, item_of, node_of
from wingbeat.machine.state import PHASES
from wingbeat.spec.phase import CacheStatus


def explain_cache(live: Live, node: str, events: Sequence[Published] = ()) -> str:
    """What was looked up for a node, what came of it, and what the key is made of.

    Args:
        events: What happened in the execution; of an item of a map that has ended, only they know.

    Raises:
        NotFound: There is no such node.
    """
    graph, state = live.machine.graph, live.machine.state
    i = graph.find(node)
    if i is None or not live.machine.knows(i):
        raise NotFound(f"Execution {live.id!r} has no node {node!r}.", hint=_known(live, i))
    task = graph.task(i)
    if task is None:
        return f"{node} calls no task; only tasks are cached."
    if task.cache is None:
        return f"{node} ({task.name}) is not cached; @task(cache=True) would."
    seen = state.seen(i)
    if i in state.maps:
        mapping = state.maps[i]
        return (
            f"{node} ({task.name}): a map of {mapping.total} items, {mapping.cached} of them from the catalog\n"
            f"each item has its own answer: wingbeat explain cache {live.id} {node}.0"
        )
    status, reason, source = (seen.cache, seen.cache_reason, seen.source) if seen else _told(node, events)
    if not status and (source if seen else _recovered(live, i)):
        status = "recovered from another execution; nothing was looked up"
    lines = [f"{node} ({task.name}): {status or 'not looked up yet'}"]
    if reason:
        lines.append(reason)
    if source:
        lines.append(f"taken from {source}")
    return "\n".join(lines + _key(live, i))


def _known(live: Live, address: int | None) -> str:
    graph, state = live.machine.graph, live.machine.state
    mapping = None if address is None else state.maps.get(node_of(address))
    if mapping is not None and address is not None:
        return f"{graph.id(node_of(address))} has {mapping.total} items, from 0 on."
    return f"It has {', '.join(graph.id(n) for n in range(min(len(state.nodes), 20)))}."


def _told(node: str, events: Sequence[Published]) -> tuple[str, str, str]:
    """Status, reason and source, out of what happened."""
    status = reason = ""
    for event in events:
        if event.node == node and event.cache:
            status = event.cache
            if status != CacheStatus.POPULATED:
                reason = event.reason
    return status, reason, ""


def _recovered(live: Live, address: int) -> bool:
    mapping = live.machine.state.maps[node_of(address)]
    return PHASES[mapping.phases[item_of(address)]].success and bool(live.machine.state.source)


def _key(live: Live, address: int) -> list[str]:
    """The key and what it is made of, if the inputs are there."""
    graph, state = live.machine.graph, live.machine.state
    number, base = node_of(address), graph.base_of(node_of(address))
    if not all(state.nodes[base + u].phase.success for u in graph.nodes[number].upstream):
        return []
    if is_item(address) and not maps.ready(live.machine, number):
        return []
    task = graph.task(address)
    assert task is not None
    assert task.cache is not None
    key = cache_key(live, address)
    lines = [
        f"key {key.digest}",
        f"  cache version {key.version} ({'derived from the code' if task.cache.derived else 'given'})",
    ]
    return lines + [f"  input {name} {digest}" for name, digest in key.inputs.items()]
