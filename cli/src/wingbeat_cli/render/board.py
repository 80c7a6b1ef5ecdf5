"""What is known of a running execution: a row for each node, kept up to date by events. No terminal, no clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wingbeat.base.units import format_duration

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.contracts.observer import Published

SUCCESS = frozenset({"SUCCEEDED", "RECOVERED"})
TERMINAL = SUCCESS | {"FAILED", "ABORTED", "SKIPPED", "TIMED_OUT"}
WAITING = frozenset({"NOT_STARTED", "QUEUED"})
ADVANCING = frozenset({"RUNNING", "DYNAMIC_RUNNING"})

_RANK = {
    "FAILED": 0,
    "TIMED_OUT": 0,
    "FAILING": 0,
    "RUNNING": 1,
    "ABORTED": 2,
    "QUEUED": 3,
    "SUCCEEDED": 4,
    "RECOVERED": 4,
}


@dataclass(slots=True)
class Row:
    """One node.

    Attributes:
        attempts: How many there were.

        began_at: When its first attempt started to run.

        progress: How far it says that it is, in words.

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
    progress: str = ""
    told_at: float = float("-inf")

    @property
    def hit(self) -> bool:
        """Whether its outputs came from the catalog."""
        return self.cache == "HIT"

    def seconds(self, now: float) -> float | None:
        """How long it has run, retries included."""
        if self.began_at is None or self.hit:
            return None
        return max((self.ended_at or now) - self.began_at, 0.0)

    def cells(self, now: float) -> tuple[str, ...]:
        """Id, task, phase, time, notes."""
        seconds = self.seconds(now)
        notes = [f"attempt {self.attempts - 1}"] if self.attempts > 1 else []
        if self.progress and self.phase in ADVANCING:
            notes.append(self.progress)
        if self.reason and self.phase != "SUCCEEDED":
            notes.append(short(self.reason))
        phase = "HIT" if self.hit and self.phase in SUCCESS else self.phase
        return self.id, self.task, phase, "" if seconds is None else format_duration(seconds), ", ".join(notes)


def short(text: str, width: int = 100) -> str:
    """The first line of a text, cut where it is too long."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= width else f"{line[: width - 1]}…"


def advance(fraction: float | None, text: str) -> str:
    """How far something is, in words: ``45 %: epoch 9``."""
    share = "" if fraction is None else f"{int(100 * fraction)} %"
    return ": ".join(filter(None, (share, short(text))))


class Board:
    """The nodes of one execution.

    Attributes:
        phase: Phase of the execution.

        now: Time of the last event.
    """

    def __init__(self, view: ExecutionView) -> None:
        self.id, self.workflow, self.phase = view.id, view.workflow, view.phase.value
        self.began_at = view.began_at or view.created_at
        self.now = self.began_at
        self.rows: dict[str, Row] = {}
        self._counts: Counter[str] = Counter()
        for node in view.nodes:
            # What already happened comes again as events; only the names are taken from here.
            self._row(node.id).task = node.task

    def _row(self, node: str) -> Row:
        row = self.rows.get(node)
        if row is None:
            row = self.rows[node] = Row(node)
            self._counts[row.phase] += 1
        return row

    def take(self, event: Published) -> Row | None:
        """Take an event; the row that it changed so that a line is due, if any."""
        self.now = max(self.now, event.at)
        if event.kind == "execution":
            self.phase = event.phase
            return None
        row = self._row(event.node)
        if event.cache:
            row.cache = event.cache
        if event.kind == "cache":
            return None
        if event.kind == "attempt":
            return self._attempt(row, event)
        row.ended_at, row.reason = event.at, event.reason
        return self._turn(row, event.phase)

    def advance(self, view: ExecutionView) -> list[Row]:
        """Take how far nodes are; the rows of which that has changed."""
        changed = []
        for node in view.nodes:
            row = self.rows.get(node.id)
            if row is None or row.phase not in ADVANCING or node.progress is None or not node.progress.at:
                continue
            text = advance(node.progress.fraction, node.progress.text)
            if text != row.progress:
                row.progress = text
                changed.append(row)
        return changed

    @property
    def advancing(self) -> bool:
        """Whether there is a node that may say how far it is."""
        return any(self._counts[phase] for phase in ADVANCING)

    def _attempt(self, row: Row, event: Published) -> Row | None:
        row.attempts = max(row.attempts, event.attempt + 1)
        if event.phase == "RUNNING":
            row.began_at = row.began_at or event.at
            row.reason = row.progress = ""
            return self._turn(row, "RUNNING")
        if event.phase == "RETRYABLE_FAILED":
            row.reason = event.reason
            self._turn(row, "QUEUED")
            return row
        if event.phase == "QUEUED":
            self._turn(row, "QUEUED")
        return None

    def _turn(self, row: Row, phase: str) -> Row:
        self._counts[row.phase] -= 1
        self._counts[phase] += 1
        row.phase = phase
        return row

    def counts(self) -> str:
        """How many nodes are where, in words."""
        hits = sum(row.hit for row in self.rows.values() if row.phase in SUCCESS)
        done = sum(self._counts[phase] for phase in SUCCESS)
        waiting = sum(self._counts[phase] for phase in WAITING)
        parts = [f"{done} of {len(self.rows)} done" + (f" ({hits} from cache)" if hits else "")]
        others = [phase for phase in self._counts if phase not in SUCCESS | WAITING]
        parts += [f"{self._counts[p]} {p.lower().replace('_', ' ')}" for p in sorted(others) if self._counts[p]]
        return ", ".join([*parts, *([f"{waiting} waiting"] if waiting else [])])

    def interesting(self, limit: int) -> list[Row]:
        """All rows if they fit; else those that failed, run or wait for another attempt, then what ended last."""
        if len(self.rows) <= limit:
            return list(self.rows.values())
        ranked = sorted(
            (row for row in self.rows.values() if row.phase != "NOT_STARTED"),
            key=lambda row: (
                _RANK.get(row.phase, 5) - 1.5 * (row.phase == "QUEUED" and row.attempts > 1),
                -(row.ended_at or 0),
            ),
        )
        chosen = {row.id for row in ranked[: max(limit, 0)]}
        return [row for row in self.rows.values() if row.id in chosen]

    def lines(self, now: float, limit: int, *, colour: bool = False) -> list[str]:
        """The board as text: the interesting rows, and a line of counts."""
        from wingbeat_cli.render.table import columns, paint

        rows = self.interesting(limit)
        lines = columns([row.cells(now) for row in rows], colour=colour)
        phase = paint(self.phase) if colour else self.phase
        return [*lines, f"{phase}  {self.counts()}  {format_duration(max(now - self.began_at, 0.0))}"]
