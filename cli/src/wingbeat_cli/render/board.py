"""What is known of a running execution: a row for each node, kept up to date by events. No terminal, no clock.

The items of a map are no rows: the map's own row counts them. What an item runs in turn has rows while it runs.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wingbeat.base.units import format_duration

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, NodeView
    from wingbeat.contracts.observer import Published

SUCCESS = frozenset({"SUCCEEDED", "RECOVERED"})
TERMINAL = SUCCESS | {"FAILED", "ABORTED", "SKIPPED", "TIMED_OUT"}
FAILURE = frozenset({"FAILED", "TIMED_OUT"})
WAITING = frozenset({"NOT_STARTED", "QUEUED"})
CHOICES_MAX = 8
"""Of a type with more values, its command names none."""
KEPT_OF_ITEMS_MAX = 20
"""How many rows stay of what items of maps ran and failed."""
ADVANCING = frozenset({"RUNNING", "DYNAMIC_RUNNING"})

_RANK = {
    "FAILED": 0,
    "TIMED_OUT": 0,
    "FAILING": 0,
    "RUNNING": 1,
    "DYNAMIC_RUNNING": 1,
    "ABORTED": 2,
    "QUEUED": 3,
    "SUCCEEDED": 4,
    "RECOVERED": 4,
}


@dataclass(slots=True)
class Items:
    """The items of a map, counted.

    Attributes:
        running: Those that run.

        busy: Those that an executor, or a child execution, is at work on.

        open: Those that run workflows, and how many, one inside the other.
    """

    total: int
    done: int = 0
    failed: int = 0
    cached: int = 0
    recovered: int = 0
    running: set[int] = field(default_factory=set)
    busy: set[int] = field(default_factory=set)
    open: Counter[int] = field(default_factory=Counter)
    said_at: float = 0.0

    def take(self, item: int, event: Published) -> bool:
        """Take an event of an item; whether it has ended with it."""
        if event.kind == "attempt":
            (self.running.add if event.phase == "RUNNING" else self.running.discard)(item)
            self.busy.add(item)
        if event.kind != "node":
            return False
        if event.phase not in TERMINAL:
            self.running.add(item)
            if "child" in event.evidence:
                self.busy.add(item)
            return False
        self.busy.discard(item)
        if self.open[item]:
            return False  # the only node of what the item runs, which has the item's id
        del self.open[item]
        self.running.discard(item)
        if event.phase in SUCCESS:
            self.done += 1
            self.cached += event.cache == "HIT"
            self.recovered += event.phase == "RECOVERED"
        else:
            self.failed += event.phase in FAILURE
        return True

    def scope(self, item: int, phase: str) -> None:
        """Take that a workflow that an item runs has begun or ended."""
        self.open[item] += (phase == "RUNNING") - (phase in TERMINAL)

    def text(self) -> str:
        """``12 of 40 done, 4 from cache, 3 failed, 8 running``."""
        others = (
            (self.cached, "from cache"), (self.recovered, "recovered"), (self.failed, "failed"),
            (len(self.running), "running"),
        )  # fmt: skip
        return ", ".join([f"{self.done} of {self.total} done", *(f"{n} {word}" for n, word in others if n)])


@dataclass(slots=True)
class Gate:
    """What a gate waits for; `name` is empty for one that sleeps, `choices` where the type has no few values."""

    name: str
    approval: bool
    type: str
    choices: Sequence[str] = ()

    def answer(self, execution: str, address: str) -> str:
        """The command that answers it."""
        verb, value = ("approve", "") if self.approval else ("signal", f" {self._placeholder}")
        return f"wingbeat {verb} {execution} {shlex.quote(address)}{value}"

    @property
    def _placeholder(self) -> str:
        if 0 < len(self.choices) <= CHOICES_MAX:
            return "|".join(self.choices)
        return self.type.upper() if self.type in {"int", "float", "str", "bool", "date", "datetime"} else "VALUE"


@dataclass(slots=True)
class Row:
    """One node, or a workflow that a dynamic one has called.

    Attributes:
        attempts: How many there were, without the turns of a body.

        began_at: When its first attempt started to run.

        busy: Whether an executor, or a child execution, is at work on it.

        owner: The item of a map that it runs for.

        scope: Whether it is a workflow, whose own nodes have rows too.

        progress: How far it says that it is, or until when it waits, in words.

        told_at: When that was last printed.
    """

    id: str
    task: str = ""
    phase: str = "NOT_STARTED"
    cache: str = ""
    attempts: int = 0
    began_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    items: Items | None = None
    gate: Gate | None = None
    busy: bool = False
    owner: str = ""
    scope: bool = False
    progress: str = ""
    told_at: float = float("-inf")

    @property
    def hit(self) -> bool:
        """Whether its outputs came from the catalog."""
        return self.cache == "HIT"

    @property
    def waits(self) -> bool:
        """Whether it is a gate that somebody has to answer."""
        return self.gate is not None and bool(self.gate.name) and self.phase == "RUNNING"

    def seconds(self, now: float) -> float | None:
        """How long it has run, retries included."""
        if self.began_at is None or self.hit:
            return None
        return max((self.ended_at or now) - self.began_at, 0.0)

    def cells(self, now: float) -> tuple[str, ...]:
        """Id, task, phase, time, notes."""
        seconds = self.seconds(now)
        notes = [f"attempt {self.attempts - 1}"] if self.attempts > 1 else []
        if self.items is not None:
            notes.append(self.items.text())
        said = [self.progress] if self.progress and self.phase in ADVANCING else []
        why = [short(self.reason)] if self.reason and self.phase != "SUCCEEDED" else []
        notes += said + why if self.gate is None or not said else [" ".join(why + said)]
        phase = "HIT" if self.hit and self.phase in SUCCESS else self.phase
        took = "" if seconds is None else format_duration(seconds)
        return middle(self.id, 32), middle(self.task, 26), phase, took, ", ".join(notes)


def short(text: str, width: int = 100) -> str:
    """The first line of a text, cut where it is too long."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= width else f"{line[: width - 1]}…"


def middle(text: str, width: int) -> str:
    """A name whose middle is left out where it is too long: what is told of it has to be seen beside it."""
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}…{text[-half:]}"


def advance(fraction: float | None, text: str) -> str:
    """How far something is, in words: ``45 %: epoch 9``."""
    share = "" if fraction is None else f"{int(100 * fraction)} %"
    return ": ".join(filter(None, (share, short(text))))


def _advance_of(node: NodeView) -> str:
    """How far a node says that it is; of one that waits for a time, until when it does."""
    if node.until is not None:
        from wingbeat_cli.render.table import moment

        return f"until {moment(node.until)}"
    if node.progress is None or not node.progress.at:
        return ""
    return advance(node.progress.fraction, node.progress.text)


class Board:
    """The nodes of one execution.

    Attributes:
        phase: Phase of the execution.

        now: Time of the last event.

        children: The child executions that are under way, by the node or item that waits for them.
    """

    def __init__(self, view: ExecutionView) -> None:
        self.id, self.workflow, self.phase = view.id, view.workflow, view.phase.value
        self.began_at = view.began_at or view.created_at
        self.now = self.began_at
        self.rows: dict[str, Row] = {}
        self.children: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._inside: dict[str, list[str]] = {}
        self._kept = 0
        maps = {node.id for node in view.nodes if node.items is not None}
        for node in view.nodes:
            # What already happened comes again as events; only the names are taken from here.
            if not _under(node.id, maps):
                self._row(node.id).task = node.title

    def _row(self, node: str) -> Row:
        row = self.rows.get(node)
        if row is None:
            row = self.rows[node] = Row(node, owner=self._owner(node))
            if row.owner:
                self._inside.setdefault(row.owner, []).append(node)
            else:
                self._counts[row.phase] += 1
        return row

    def _owner(self, node: str) -> str:
        """The outermost item of a map that a node runs for; empty if for none."""
        parts = node.split(".")
        for i in range(2, len(parts) + 1):
            above = self.rows.get(".".join(parts[: i - 1])) if parts[i - 1].isdecimal() else None
            if above is not None and above.items is not None:
                return ".".join(parts[:i])
        return ""

    def _mapped(self, node: str) -> tuple[Row | None, int]:
        """The map of which a node is an item, and which one."""
        head, _, tail = node.rpartition(".")
        row = self.rows.get(head) if tail.isdecimal() else None
        return (row, int(tail)) if row is not None and row.items is not None else (None, -1)

    def take(self, event: Published) -> Row | None:
        """Take an event; the row that it changed so that a line is due, if any."""
        self.now = max(self.now, event.at)
        if event.kind == "node":
            self._child(event)
        if event.kind == "execution":
            self.phase = event.phase
        elif event.kind == "scope":
            return self._scope(event)
        elif event.kind in {"node", "attempt", "cache"} and event.node:
            mapped, item = self._mapped(event.node)
            if mapped is not None and mapped.items is not None:
                return self._item(mapped, mapped.items, item, event)
            return self._node(self._row(event.node), event)
        return None

    def _child(self, event: Published) -> None:
        if event.phase in TERMINAL:
            self.children.pop(event.node, None)
        elif child := event.evidence.get("child"):
            self.children[event.node] = child

    def _item(self, row: Row, items: Items, item: int, event: Published) -> Row | None:
        """An item of a map, or the only node of the workflow that it runs: that has a row too if it is a gate or a map."""
        inner = bool(items.open[item])
        if inner and event.kind == "node" and (event.node in self.rows or event.evidence.keys() & {"gate", "items"}):
            self._node(self._row(event.node), event)
        if items.take(item, event):
            self._close_item(event.node)
        if event.phase == "RETRYABLE_FAILED":
            return row
        return row if event.kind == "node" and not inner else None

    def _node(self, row: Row, event: Published) -> Row | None:
        name = str(event.evidence.get("name", "")) if event.kind == "attempt" else ""
        row.task = row.task or (f"{name} ({event.task})" if name else event.task)
        if event.cache:
            row.cache = event.cache
        if event.kind == "cache":
            return None
        if event.kind == "attempt":
            return self._attempt(row, event)
        row.busy = "child" in event.evidence
        if event.phase == "DYNAMIC_RUNNING":
            self._turn(row, event.phase)
            return None
        if event.phase not in TERMINAL:
            return self._held(row, event)
        row.ended_at, row.reason = event.at, event.reason
        return self._turn(row, event.phase)

    def _held(self, row: Row, event: Published) -> Row:
        """A node that holds no process is under way."""
        row.began_at, said = row.began_at or event.at, event.evidence
        if "items" in said:
            row.items = row.items or Items(said["items"], said_at=event.at)
        if said.get("gate") is not None:
            row.gate = Gate(said["gate"], bool(said.get("approval")), said.get("type", ""), said.get("choices", ()))
            row.reason = event.reason
        for skipped in said.get("skipped", ()):
            self._turn(self._row(skipped), "SKIPPED")
        return self._turn(row, event.phase)

    def advance(self, view: ExecutionView) -> list[Row]:
        """Take how far nodes are; the rows of which that has changed."""
        changed = []
        for node in view.nodes:
            row = self.rows.get(node.id)
            if row is None or row.phase not in ADVANCING:
                continue
            text = _advance_of(node)
            if text and text != row.progress:
                row.progress = text
                changed.append(row)
        return changed

    @property
    def advancing(self) -> bool:
        """Whether there is a node that may say how far it is."""
        return any(self._counts[phase] for phase in ADVANCING)

    def _attempt(self, row: Row, event: Published) -> Row | None:
        row.busy = True
        if event.phase == "RETRYABLE_FAILED":
            row.attempts, row.reason = max(row.attempts, 1) + 1, event.reason
            self._turn(row, "QUEUED")
            return row
        if row.phase == "DYNAMIC_RUNNING":
            return None  # another turn of a body that has long begun
        if event.phase == "RUNNING":
            row.attempts, row.reason, row.progress = max(row.attempts, 1), "", ""
            row.began_at = row.began_at or event.at
            return self._turn(row, "RUNNING")
        if event.phase == "QUEUED":
            self._turn(row, "QUEUED")
        return None

    def _scope(self, event: Published) -> Row | None:
        """A workflow that a dynamic one has called, or a failure handler. One with a single node is that node."""
        mapped, item = self._mapped(event.node)
        if mapped is not None and mapped.items is not None:
            mapped.items.scope(item, event.phase)
            return None
        row = self.rows.get(event.node)
        if event.phase == "RUNNING":
            single = event.evidence.get("nodes") == 1
            if row is not None or single:
                return None
            row = self._row(event.node)
            row.task, row.scope, row.began_at = event.task, True, event.at
        elif row is None or not row.scope:
            return None
        elif event.phase in TERMINAL:
            row.ended_at, row.reason = event.at, event.reason
        return self._turn(row, event.phase)

    def _close_item(self, item: str) -> None:
        """Forget the rows of an item that has ended, except for what failed."""
        for id_ in self._inside.pop(item, ()):
            if self.rows[id_].phase in FAILURE and self._kept < KEPT_OF_ITEMS_MAX:
                self._kept += 1
            else:
                del self.rows[id_]

    def _turn(self, row: Row, phase: str) -> Row:
        if not row.owner:
            self._counts[row.phase] -= 1
            self._counts[phase] += 1
        row.phase = phase
        if phase in TERMINAL:
            row.busy = False
        return row

    def waiting(self) -> list[Row]:
        """The gates that wait for an answer."""
        return [row for row in self.rows.values() if row.waits]

    def answer(self, row: Row) -> str:
        """The command that answers a gate; by its node, where another of the name waits."""
        assert row.gate is not None
        others = any(other is not row and other.gate and other.gate.name == row.gate.name for other in self.waiting())
        return row.gate.answer(self.id, row.id if others else row.gate.name)

    @property
    def only_waits(self) -> bool:
        """Whether nothing is under way but gates that somebody has to answer."""
        if self.phase not in {"RUNNING", "QUEUED"} or not self.waiting():
            return False
        rows = self.rows.values()
        sleeping = any(row.gate is not None and not row.gate.name and row.phase == "RUNNING" for row in rows)
        return not sleeping and not any(row.busy or (row.items is not None and row.items.busy) for row in rows)

    def counts(self) -> str:
        """How many nodes are where, in words."""
        rows = [row for row in self.rows.values() if not row.owner]
        hits = sum(row.hit for row in rows if row.phase in SUCCESS)
        done = sum(self._counts[phase] for phase in SUCCESS)
        waiting = sum(self._counts[phase] for phase in WAITING)
        # While a body is under way nobody knows what it is going to call.
        total, more = ("", ", more may come") if self._counts["DYNAMIC_RUNNING"] else (f" of {len(rows)}", "")
        parts = [f"{done}{total} done" + (f" ({hits} from cache)" if hits else "") + more]
        gates = sum(not row.owner for row in self.waiting())
        told = Counter({p: n for p, n in self._counts.items() if n and p not in SUCCESS | WAITING})
        told["RUNNING"] += told.pop("DYNAMIC_RUNNING", 0) - gates
        parts += [f"{told[p]} {p.lower().replace('_', ' ')}" for p in sorted(told) if told[p] > 0]
        parts += [f"{gates} to be answered"] if gates else []
        rest = "not run" if self.phase in TERMINAL else "waiting"
        return ", ".join([*parts, *([f"{waiting} {rest}"] if waiting else [])])

    def interesting(self, limit: int) -> list[Row]:
        """All rows if they fit; else those that failed, run or wait for another attempt, then what ended last."""
        if len(self.rows) <= limit:
            return list(self.rows.values())
        ranked = sorted(
            (row for row in self.rows.values() if row.phase != "NOT_STARTED"),
            key=lambda row: (
                _RANK.get(row.phase, 5) - 1.5 * (row.phase == "QUEUED" and row.attempts > 1) - row.waits,
                bool(row.owner),
                -(row.ended_at or 0),
            ),
        )
        chosen = {row.id for row in ranked[: max(limit, 0)]}
        return [row for row in self.rows.values() if row.id in chosen]

    def lines(self, now: float, limit: int, *, colour: bool = False) -> list[str]:
        """The board as text: the interesting rows, the commands that answer gates, and a line of counts."""
        from wingbeat_cli.render.table import columns, dim, paint

        gates = self.waiting()[: max(limit // 3, 1)]
        rows = self.interesting(limit - len(gates))
        lines = columns([row.cells(now) for row in rows], colour=colour)
        if colour:
            lines = [dim(line) if row.phase == "SKIPPED" else line for row, line in zip(rows, lines, strict=True)]
        lines += [f"answer {row.id} with: {self.answer(row)}" for row in gates]
        phase = paint(self.phase) if colour else self.phase
        return [*lines, f"{phase}  {self.counts()}  {format_duration(max(now - self.began_at, 0.0))}"]


def _under(node: str, maps: Iterable[str]) -> bool:
    """Whether a node is an item of a map, or runs for one."""
    return any(node.startswith(f"{each}.") and node[len(each) + 1 :].partition(".")[0].isdecimal() for each in maps)
