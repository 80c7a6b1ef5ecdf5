"""Why a node's outputs were or were not taken from the catalog, in words."""

from __future__ import annotations

from wingbeat.base.errors import NotFound
from wingbeat.engine.live import Live
from wingbeat.engine.memo import cache_key


def explain_cache(live: Live, node: str) -> str:
    """What was looked up for a node, what came of it, and what the key is made of. Raises NotFound."""
    plan, state = live.machine.plan, live.machine.state
    if node not in plan.index:
        raise NotFound(
            f"Execution {live.id!r} has no node {node!r}.", hint=f"It has {', '.join(list(plan.index)[:20])}."
        )
    i = plan.index[node]
    task, seen = plan.tasks[plan.nodes[i].task], state.nodes[i]
    if task.cache is None:
        return f"{node} ({task.name}) is not cached; @task(cache=True) would."
    lines = [f"{node} ({task.name}): {seen.cache or 'not looked up yet'}"]
    if seen.cache_reason:
        lines.append(seen.cache_reason)
    if seen.source:
        lines.append(f"taken from {seen.source}")
    if all(state.nodes[u].phase.success for u in plan.nodes[i].upstream):
        key = cache_key(live, i)
        lines += [
            f"key {key.digest}",
            f"  cache version {key.version} ({'derived from the code' if task.cache.derived else 'given'})",
        ]
        lines += [f"  input {name} {digest}" for name, digest in key.inputs.items()]
    return "\n".join(lines)
