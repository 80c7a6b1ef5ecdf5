"""Why a node's outputs were or were not taken from the catalog, in words."""

from __future__ import annotations

from wingbeat.base.errors import NotFound
from wingbeat.engine.live import Live
from wingbeat.engine.memo import cache_key
from wingbeat.machine.graph import node_of


def explain_cache(live: Live, node: str) -> str:
    """What was looked up for a node, what came of it, and what the key is made of. Raises NotFound."""
    graph, state = live.machine.graph, live.machine.state
    i = graph.find(node)
    seen = state.seen(i) if i is not None else None
    if i is None or seen is None:
        known = [graph.id(n) for n in range(min(len(state.nodes), 20))]
        raise NotFound(f"Execution {live.id!r} has no node {node!r}.", hint=f"It has {', '.join(known)}.")
    task = graph.task(i)
    if task is None:
        return f"{node} calls no task; only tasks are cached."
    if task.cache is None:
        return f"{node} ({task.name}) is not cached; @task(cache=True) would."
    lines = [f"{node} ({task.name}): {seen.cache or 'not looked up yet'}"]
    if seen.cache_reason:
        lines.append(seen.cache_reason)
    if seen.source:
        lines.append(f"taken from {seen.source}")
    number, base = node_of(i), graph.base_of(node_of(i))
    listed = number not in live.machine.unread(ended=True)
    if listed and all(state.nodes[base + u].phase.success for u in graph.nodes[number].upstream):
        key = cache_key(live, i)
        lines += [
            f"key {key.digest}",
            f"  cache version {key.version} ({'derived from the code' if task.cache.derived else 'given'})",
        ]
        lines += [f"  input {name} {digest}" for name, digest in key.inputs.items()]
    return "\n".join(lines)
