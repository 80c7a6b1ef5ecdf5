"""One execution for people: its outputs, what went wrong, and everything about it."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from wingbeat.base.units import counted, format_duration, format_size
from wingbeat.contracts.admin import REQUEST_LABEL
from wingbeat.contracts.places import SETTINGS_LABEL
from wingbeat.spec.phase import CacheStatus
from wingbeat.types.text import choices
from wingbeat.types.text import describe as describe_type
from wingbeat_cli.places import setting_name, setting_value
from wingbeat_cli.render.board import FAILURE, Gate, advance, short
from wingbeat_cli.render.table import columns, duration, moment

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, ItemsView, NodeView, RecoveryPlan
    from wingbeat.spec.outcome import ErrorInfo


OF_THE_PROCESS = frozenset({"Crashed", "Exited", "Killed", "Lost", "OutcomeLost", "OutOfMemory"})
"""Errors that numbers of the process say something about: signals, exits, memory. Others have their own words."""
NUMBERS = frozenset({"cpu_s", "exit_code", "log", "max_rss_bytes", "memory_peak_bytes", "pid", "process", "signal"})
UNDRIVEN = "nothing decides for it at this moment; it goes on when a kernel holds the home, as that of wingbeat serve"
NODES_MAX = 1000
"""How many nodes are listed."""
ID_CHARS_MAX = 32
"""Of a node with a longer id what is told of it stands in the next line."""
VALUE_CHARS_MAX = 2000
"""How much of an input or output is shown to people: a screenful."""
ITEMS_MAX = 20
"""How many of them are items of maps, or run for one."""


@dataclass
class History:
    """Of items of maps that have ended, what only the journal knows.

    Attributes:
        reasons: Why they failed, by their ids.

        children: The executions that they were, of some by their ids.

        chosen: What options that depend on the call came to: id, attempt, options. The first ones.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    chosen: list[tuple[str, int, dict[str, float | str]]] = field(default_factory=list)


_table = partial(columns, first_max=ID_CHARS_MAX)
"""Columns that begin with the id of a node."""


def values(named: dict[str, Any], whole: str) -> list[str]:
    """Values as ``name = value``; text as it is, anything else as JSON. Of a long one the beginning.

    Args:
        whole: How all of it is got.
    """
    lines = []
    for name, value in named.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        if (more := len(text) - VALUE_CHARS_MAX) > 0:
            text = f"{text[:VALUE_CHARS_MAX]}… and {counted(more, 'character')} more: {whole}"
        lines.append(f"{name} = {text}")
    return lines


def failure(view: ExecutionView, source: tuple[str, str] | None = None) -> list[str]:
    """Why an execution did not succeed, and where to look.

    Args:
        source: The file and the entity that it came from, if they are known.
    """
    if view.error is None:
        return [f"{view.phase.value.lower()}: {view.reason}" if view.reason else view.phase.value.lower()]
    found = view.error
    if view.phase.value == "ABORTED":  # it has not begun, and says why
        return [found.message]
    node = next((each for each in view.nodes if each.id == found.node), None)
    where = f" in {node.id} ({node.title})" if node else ""
    name = "" if found.message.startswith(found.code) else f"{found.code}: "
    lines = [f"error{where}: {name}{found.message}"]
    lines += [f"  {line}" for line in found.trace.rstrip().splitlines()]
    lines += [f"  {key}: {_fact(key, value)}" for key, value in _evidence(found) if value not in (None, "")]
    if found.kind.value == "SYSTEM":
        lines.append("  This came from the system around the task, not from its code.")
    if child := found.evidence.get("execution"):
        lines.append(f"it was a child execution: wingbeat describe execution {child}")
        if inner := found.evidence.get("execution_node"):
            lines.append(f"log: wingbeat logs {child} {inner}")
    elif node is not None and (node.attempts or node.items is not None):
        lines.append(f"log: wingbeat logs {view.id} {_log_of(view, node)}")
    lines.append(f"when it is mended: wingbeat recover {view.id} {_mended(view, source)} keeps what succeeded")
    return lines


def _mended(view: ExecutionView, source: tuple[str, str] | None) -> str:
    """What a recovery names: the file that it came from; of what is registered, a version to come, so that it stays one."""
    from wingbeat.contracts.admin import ENTITY_LABEL

    if source is not None:
        return shlex.join(source)
    name, _, version = view.labels.get(ENTITY_LABEL, "").rpartition("@")
    return f"{name}@NEW" if version else "FILE ENTITY"


def _evidence(error: ErrorInfo) -> list[tuple[str, Any]]:
    """What is worth to be shown: numbers of the process explain how it ended, and nothing of what its code said."""
    if error.code in OF_THE_PROCESS:
        return list(error.evidence.items())
    hidden = NUMBERS | {"execution", "execution_node"}
    return [] if error.trace else [(key, value) for key, value in error.evidence.items() if key not in hidden]


def first_failed(node: NodeView) -> str:
    """The item of a map that failed first, by its id; empty if none is known."""
    failures = node.items.failures if node.items is not None else []
    first = next((each for each in failures if each.reason), failures[0] if failures else None)
    return "" if first is None else f"{node.id}.{first.item}"


def _log_of(view: ExecutionView, node: NodeView) -> str:
    """Whose log tells why a node failed: of a map, that of the item that failed first, or of what failed within it."""
    item = first_failed(node)
    inside = (each.id for each in view.nodes if each.id.startswith(f"{item}.") and each.phase.value in FAILURE)
    return next(inside, item) if item else node.id


def _fact(key: str, value: Any) -> str:
    if key == "progress" and isinstance(value, dict):
        fraction, text = value.get("fraction"), str(value.get("text", ""))
        return advance(fraction if isinstance(fraction, float) else None, text)
    return _short_json(value)


def _short_json(value: Any) -> str:
    return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def describe(
    view: ExecutionView,
    outputs: dict[str, Any] | None,
    inputs: dict[str, Any],
    history: History,
    *,
    driven: bool = True,
    colour: bool,
) -> list[str]:
    """Everything about an execution; `driven` is whether a process decides for it, where it has not ended."""
    facts = [
        ("execution", view.id),
        ("workflow", view.workflow),
        ("phase", view.phase.value if driven else f"{view.phase.value} (no kernel)"),
        ("", "" if driven else UNDRIVEN),
        ("reason", view.reason),
        ("created", moment(view.created_at)),
        ("ended", moment(view.ended_at)),
        ("took", duration(view.began_at, view.ended_at)),
        (
            "labels",
            ", ".join(
                f"{key}={value}" for key, value in view.labels.items() if key not in (SETTINGS_LABEL, REQUEST_LABEL)
            ),
        ),
    ]
    lines = columns([(name, value) for name, value in facts if value], colour=colour)
    lines += _section("settings", columns(_settings(view), colour=colour))
    lines += _section("inputs", values(inputs, "-o json has all"))
    lines += _section("outputs", values(outputs or {}, "-o json has all"))
    heading = ("NODE", "TASK", "PHASE", "CACHE", "ATTEMPTS", "TIME", "REASON")
    shown, hidden = _bounded(view)
    lines += _section("nodes", _table(map(_node, shown), heading=heading, colour=colour) if shown else [])
    if hidden:
        lines.append(f"  and {hidden} more; -o json has all")
    for node in view.nodes:
        if node.items is not None and node.items.failed:
            lines += _section(f"failed items of {node.id}", _failures(view, node, node.items, history))
    lines += _section("attempts that were tried again", _again(view))
    lines += _section("waits for", _gates(view))
    lines += _section("options chosen for attempts", _chosen(view, history))
    lines += _section("pages", _table(_decks(view)))
    if view.error is not None and view.error.message != view.reason:
        lines += ["", *failure(view)]
    return lines


def _settings(view: ExecutionView) -> list[tuple[str, str, str]]:
    """What it got of the settings of its place: name, value, and who says so."""
    found = json.loads(view.labels.get(SETTINGS_LABEL, "{}"))
    return [(setting_name(name), setting_value(name, value), source) for name, (value, source) in found.items()]


def _bounded(view: ExecutionView) -> tuple[list[NodeView], int]:
    """The nodes that are listed, and how many are not: of the items of maps and of what runs in them only some are."""
    maps = {node.id for node in view.nodes if node.items is not None}
    shown, of_items = [], 0
    for node in view.nodes:
        inside = bool(maps) and _in_item(node.id, maps)
        of_items += inside
        if not inside or of_items <= ITEMS_MAX:
            shown.append(node)
    return shown[:NODES_MAX], len(view.nodes) - min(len(shown), NODES_MAX)


def _in_item(node: str, maps: set[str]) -> bool:
    parts = node.split(".")
    return any(parts[i].isdecimal() and ".".join(parts[:i]) in maps for i in range(1, len(parts)))


def _failures(view: ExecutionView, node: NodeView, items: ItemsView, history: History) -> list[str]:
    shown = items.failures[:ITEMS_MAX]
    rows = []
    for each in shown:
        name = f"{node.id}.{each.item}"
        rows.append((name, short(history.reasons.get(name) or each.reason)))
    lines = _table(rows)
    if items.failed > len(shown):
        lines.append(f"and {items.failed - len(shown)} more")
    if child := history.children.get(first_failed(node)):
        return [*lines, f"one of them: wingbeat describe execution {child}"]
    return [*lines, f"log of one: wingbeat logs {view.id} {_log_of(view, node)}"]


def _again(view: ExecutionView) -> list[str]:
    """Why attempts have failed that were not the last of their node."""
    rows = [
        (node.id, f"attempt {n}", short(f"{attempt.error.code}: {attempt.error.message}"))
        for node in view.nodes
        for n, attempt in enumerate(node.attempts[:-1])
        if attempt.error is not None
    ]
    more = [f"and {len(rows) - ITEMS_MAX} more; -o json has all"] if len(rows) > ITEMS_MAX else []
    return _table(rows[:ITEMS_MAX]) + more


def _gates(view: ExecutionView) -> list[str]:
    """What can be answered, and how."""
    waiting = answers(view)
    more = [f"and {len(waiting) - ITEMS_MAX} more"] if len(waiting) > ITEMS_MAX else []
    return columns(waiting[:ITEMS_MAX]) + more


def answers(view: ExecutionView) -> list[tuple[str, str, str]]:
    """Of the gates of an execution that wait, their names, what answers them, and the command that does."""
    if view.phase.terminal:
        return []
    waiting = [(node.id, node.gate) for node in view.nodes if node.gate is not None and not node.phase.terminal]
    counts = Counter(gate.name for _, gate in waiting)
    rows = []
    for id_, gate in waiting:
        type_ = describe_type(gate.type)
        named = gate.name if counts[gate.name] == 1 else id_
        command = Gate(gate.name, gate.approval, type_, choices(gate.type)).answer(view.id, named)
        rows.append((gate.name, "approval" if gate.approval else type_, command))
    return rows


def recovery(plan: RecoveryPlan, *, colour: bool) -> list[str]:
    """What recovering an execution would do, node by node."""
    heading = ("NODE", "TASK", "DECISION", "REASON")
    rows = []
    for each in plan.nodes:
        kept = "" if each.items is None else f"{each.kept} of {each.items} items can be kept"
        rows.append(
            (each.node, each.task, each.decision.value, "; ".join(part for part in (kept, each.reason) if part))
        )
    counts = Counter(each.decision.value for each in plan.nodes)
    told = {"REUSED": "kept", "OPEN": "decided when it starts", "RUNS": "run again", "GONE": "gone"}
    parts = [f"{counts[key]} {text}" for key, text in told.items() if counts[key]]
    parts += [f"{plan.more} calls not listed"] if plan.more else []
    shown = _table(rows[:NODES_MAX], heading=heading, colour=colour)
    hidden = max(0, len(rows) - NODES_MAX) + plan.more
    more = [f"and {hidden} more"] if hidden else []
    return [*shown, *more, f"{plan.workflow}: {', '.join(parts) or 'no nodes'}; nothing was launched"]


def _section(name: str, lines: list[str]) -> list[str]:
    return ["", name, *(f"  {line}" for line in lines)] if lines else []


def _chosen(view: ExecutionView, history: History) -> list[str]:
    """What options that depend on the call came to, of the first attempts that have such."""
    attempts = [(node.id, n, a.chosen) for node in view.nodes for n, a in enumerate(node.attempts) if a.chosen]
    attempts += history.chosen
    rows = [(id_, f"attempt {n}", ", ".join(map(_option, chosen.items()))) for id_, n, chosen in attempts[:ITEMS_MAX]]
    left = len(attempts) - len(rows)
    count = f"{left} " if len(history.chosen) <= ITEMS_MAX else ""  # nobody has counted what is behind those
    return _table(rows) + ([f"and {count}more"] if left else [])


def _option(chosen: tuple[str, float | str]) -> str:
    name, number = chosen
    if isinstance(number, str):
        return f"{name} {number}"
    if name.endswith("_bytes"):
        return f"{name.removesuffix('_bytes')} {format_size(number)}"
    return f"{name.removesuffix('_s')} {format_duration(number)}" if name.endswith("_s") else f"{name} {number:g}"


def _decks(view: ExecutionView) -> list[tuple[str, ...]]:
    """Where the pages are that attempts have made."""
    return [(node.id, f"attempt {n}", a.deck) for node in view.nodes for n, a in enumerate(node.attempts) if a.deck]


def _node(node: NodeView) -> tuple[str, ...]:
    began = next((a.started_at for a in node.attempts if a.started_at is not None), None)
    took = duration(began, node.ended_at)
    told = not node.phase.success or node.cache in (CacheStatus.LOOKUP_FAILURE, CacheStatus.PUT_FAILURE)
    reason = (node.reason if told else "") or (f"from {node.source}" if node.source else "")
    if node.items is not None:
        reason = "; ".join(part for part in (_counts(node.items), reason) if part)
    if node.progress is not None and not node.phase.terminal:
        reason = advance(node.progress.fraction, node.progress.text) or reason
    if node.until is not None and not node.phase.terminal:
        reason = f"{reason} until {moment(node.until)}".lstrip()
    count = str(len(node.attempts)) if node.attempts else ""
    task = f"{node.title} of {node.of}" if node.of else node.title
    return node.id, task, node.phase.value, str(node.cache), count, took, short(reason)


def _counts(items: ItemsView) -> str:
    others = (
        (items.cached, "from cache"), (items.failed, "failed"), (items.running, "running"), (items.waiting, "waiting")
    )  # fmt: skip
    counted = [f"{count} {word}" for count, word in others if count]
    return ", ".join([f"{items.succeeded} of {items.total} done", *counted])
