"""For what an execution waits, as a document: the engine's words, by node, with what the nodes say of themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wingbeat_cli.render.document import gate, timestamp

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, NodeView

_HELD = re.compile(r"held by ([^;\n]+)")


def document(text: str, view: ExecutionView, asked: str) -> dict[str, Any]:
    """What `Engine.explain_waiting` said of an execution, whose nodes are those of `view`.

    Args:
        asked: The node that was asked for; empty for all of them. It may be an item that `view` does not list.
    """
    nodes = {node.id: node for node in view.nodes}
    waiting: list[dict[str, Any]] = []
    rest: list[str] = []
    for line in text.splitlines():
        id_, colon, reason = line.partition(": ")
        if colon and (id_ in nodes or id_ == asked):
            waiting.append(_node(id_, reason, nodes.get(id_)))
        else:
            rest.append(line)
    whole = "\n".join(rest)
    return {
        "execution": view.id,
        "node": asked,
        "phase": view.phase.value,
        "reason": whole,
        "held_by": _holders(whole),
        "waiting": waiting,
        "explanation": text,
    }


def _node(id_: str, reason: str, view: NodeView | None) -> dict[str, Any]:
    said = {"node": id_, "reason": reason, "held_by": _holders(reason)}
    if view is None:
        return {**said, "task": "", "phase": None, "gate": None, "until": None}
    return {
        **said,
        "task": view.task,
        "phase": view.phase.value,
        "gate": None if view.gate is None or view.phase.terminal else gate(view.gate),
        "until": timestamp(view.until),
    }


def _holders(text: str) -> list[str]:
    """Who holds a slot of the pool, or the limit, for which something waits; the engine names the first few."""
    found = _HELD.search(text)
    names = found.group(1).split(", ") if found else []
    return [name.partition(" (")[0] for name in names if name != "…"]
