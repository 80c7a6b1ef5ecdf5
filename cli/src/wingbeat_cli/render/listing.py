"""Executions as a list: once, or kept up to date while it is watched."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from wingbeat_cli.render.table import coloured, columns, duration, echo, moment

if TYPE_CHECKING:
    from wingbeat.contracts.admin import ExecutionEntry
    from wingbeat.contracts.engine import Summary

HEADING = ("ID", "WORKFLOW", "PHASE", "CREATED", "TOOK")
KEPT_MAX = 1000
"""How many executions a list that is watched remembers."""


def table(found: Iterable[ExecutionEntry], *, driven: bool, colour: bool, now: float | None = None) -> list[str]:
    """Lines of a table.

    Args:
        driven: Whether a process decides for what has not ended.

        now: Epoch seconds, where the time of what has not ended is to be shown, too.
    """
    return columns([_row(each, driven=driven, now=now) for each in found], heading=HEADING, colour=colour)


def _row(each: ExecutionEntry, *, driven: bool, now: float | None) -> tuple[str, ...]:
    phase = each.phase.value if driven or each.phase.terminal else f"{each.phase.value} (no kernel)"
    took = duration(each.created_at, now if each.ended_at is None else each.ended_at)
    return each.id, each.entity or each.workflow, phase, moment(each.created_at), took


def entry_of(each: Summary) -> ExecutionEntry:
    """An execution of the engine as the history has it: what it is of, and where, is in labels of ours."""
    from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL, ExecutionEntry
    from wingbeat.contracts.backfill import BACKFILL_LABEL
    from wingbeat.spec.labels import PLACE, is_ours

    project, domain, entity, cause = (each.labels.get(name, "") for name in (*PLACE, ENTITY_LABEL, CAUSE_LABEL))
    labels = {k: value for k, value in each.labels.items() if k in (BACKFILL_LABEL, BY_LABEL) or not is_ours(k)}
    return ExecutionEntry(
        each.id, each.workflow, each.phase, each.created_at, each.ended_at, project, domain, entity, cause, labels
    )


class Listing:
    """The executions of a list that is watched. No terminal, no clock."""

    def __init__(self) -> None:
        self._known: dict[str, Summary] = {}

    def take(self, each: Summary) -> bool:
        """Take an execution as it is now; whether that is news."""
        before = self._known.get(each.id)
        if before is not None and before.phase is each.phase:
            return False
        self._known[each.id] = each
        if len(self._known) > KEPT_MAX:
            del self._known[
                min(self._known.values(), key=lambda known: (not known.phase.terminal, known.created_at)).id
            ]
        return True

    def shown(self, count: int) -> list[Summary]:
        """The newest, first; those that have not ended before others, if not all fit."""
        chosen = sorted(self._known.values(), key=lambda each: (each.phase.terminal, -each.created_at))[: max(count, 0)]
        return sorted(chosen, key=lambda each: -each.created_at)


class ListScreen(Protocol):
    """Where a list that is watched is shown."""

    def take(self, each: Summary) -> None:
        """Show an execution as it is now."""

    def close(self) -> None:
        """Leave the terminal in order."""


def list_screen(output: str, limit: int) -> ListScreen:
    """The screen on standard output that suits the form of the output, of at most `limit` rows where it is a table."""
    import os

    if output != "table":
        return _Documents(output)
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return _Live(sys.stdout, limit) if live else _Lines(sys.stdout)


class _Documents:
    """A document for each change."""

    def __init__(self, form: str) -> None:
        self._form, self._listing = form, Listing()

    def take(self, each: Summary) -> None:
        """See `ListScreen.take`."""
        if self._listing.take(each):
            from wingbeat_cli.render import document

            document.dump(document.entry(entry_of(each)), self._form)

    def close(self) -> None:
        """Nothing is open."""


class _Lines:
    """A line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._listing = stream, Listing()

    def take(self, each: Summary) -> None:
        """See `ListScreen.take`."""
        if self._listing.take(each):
            took = duration(each.created_at, each.ended_at)
            echo(["  ".join(part for part in (each.id, each.workflow, each.phase.value, took) if part)], self._stream)

    def close(self) -> None:
        """Nothing is open."""


class _Live:
    """A table that is drawn again and again; its last state stays."""

    def __init__(self, stream: TextIO, limit: int) -> None:
        from wingbeat_cli.render.progress import live

        self._stream, self._limit, self._listing = stream, limit, Listing()
        self._live: Any = None
        self._live = live(stream, self._draw)

    def _draw(self) -> Any:
        import time

        from rich.text import Text

        from wingbeat_cli.door import is_driven

        height = self._live.console.height if self._live is not None else 24
        found = self._listing.shown(min(self._limit, height - 2))
        driven = all(each.phase.terminal for each in found) or is_driven()
        lines = table(map(entry_of, found), driven=driven, colour=coloured(self._stream), now=time.time())
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis")

    def take(self, each: Summary) -> None:
        """See `ListScreen.take`."""
        self._listing.take(each)

    def close(self) -> None:
        """See `ListScreen.close`."""
        self._live.stop()
