"""One execution for people: its outputs, what went wrong, and everything about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wingbeat_cli.render.board import short
from wingbeat_cli.render.table import columns, duration, moment

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, NodeView
    from wingbeat.spec.outcome import ErrorInfo


OF_THE_PROCESS = frozenset({"Crashed", "Exited", "Killed", "Lost", "OutcomeLost", "OutOfMemory"})
"""Errors that numbers of the process say something about: signals, exits, memory. Others have their own words."""
NUMBERS = frozenset({"cpu_s", "exit_code", "log", "max_rss_bytes", "memory_peak_bytes", "pid", "process"})


def values(named: dict[str, Any]) -> list[str]:
    """Values as ``name = value``; text as it is, anything else as JSON."""
    lines = []
    for name, value in named.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        lines.append(f"{name} = {text}")
    return lines


def failure(view: ExecutionView) -> list[str]:
    """Why an execution did not succeed, and where to look."""
    if view.error is None:
        return [f"{view.phase.value.lower()}: {view.reason}" if view.reason else view.phase.value.lower()]
    found = view.error
    node = next((each for each in view.nodes if each.id == found.node), None)
    where = f" in {node.id} ({node.task})" if node else ""
    name = "" if found.message.startswith(found.code) else f"{found.code}: "
    lines = [f"error{where}: {name}{found.message}"]
    lines += [f"  {line}" for line in found.trace.rstrip().splitlines()]
    lines += [f"  {key}: {_short_json(value)}" for key, value in _evidence(found) if value not in (None, "")]
    if found.kind.value == "SYSTEM":
        lines.append("  This came from the system around the task, not from its code.")
    if node is not None:
        lines.append(f"log: wingbeat logs {view.id} {node.id}")
    lines.append(f"when it is mended: wingbeat recover {view.id} FILE ENTITY keeps what succeeded")
    return lines


def _evidence(error: ErrorInfo) -> list[tuple[str, Any]]:
    """What is worth to be shown: numbers of the process explain how it ended, and nothing of what its code said."""
    if error.code in OF_THE_PROCESS:
        return list(error.evidence.items())
    return [] if error.trace else [(key, value) for key, value in error.evidence.items() if key not in NUMBERS]


def _short_json(value: Any) -> str:
    return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def describe(view: ExecutionView, outputs: dict[str, Any] | None, inputs: dict[str, Any], *, colour: bool) -> list[str]:
    """Everything about an execution."""
    facts = [
        ("execution", view.id),
        ("workflow", view.workflow),
        ("phase", view.phase.value),
        ("reason", view.reason),
        ("created", moment(view.created_at)),
        ("ended", moment(view.ended_at)),
        ("took", duration(view.began_at, view.ended_at)),
        ("labels", ", ".join(f"{key}={value}" for key, value in view.labels.items())),
    ]
    lines = columns([(name, value) for name, value in facts if value], colour=colour)
    lines += _section("inputs", values(inputs)) + _section("outputs", values(outputs or {}))
    heading = ("NODE", "TASK", "PHASE", "CACHE", "ATTEMPTS", "TIME", "REASON")
    lines += _section("nodes", columns(map(_node, view.nodes), heading=heading, colour=colour) if view.nodes else [])
    if view.error is not None:
        lines += ["", *failure(view)]
    return lines


def _section(name: str, lines: list[str]) -> list[str]:
    return ["", name, *(f"  {line}" for line in lines)] if lines else []


def _node(node: NodeView) -> tuple[str, ...]:
    began = next((a.started_at for a in node.attempts if a.started_at is not None), None)
    took = duration(began, node.ended_at)
    reason = ("" if node.phase.success else node.reason) or (f"from {node.source}" if node.source else "")
    count = str(len(node.attempts)) if node.attempts else ""
    return node.id, node.task, node.phase.value, str(node.cache), count, took, short(reason)
