"""Text in columns, with colour where a person reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

_COLOURS = {
    "SUCCEEDED": "32",
    "RECOVERED": "32",
    "HIT": "36",
    "RUNNING": "34",
    "DYNAMIC_RUNNING": "34",
    "REUSED": "32",
    "OPEN": "36",
    "RUNS": "33",
    "SUCCEEDING": "34",
    "FAILING": "31",
    "FAILED": "31",
    "TIMED_OUT": "31",
    "RETRYABLE_FAILED": "33",
    "ABORTING": "33",
    "ABORTED": "33",
    "error": "1;31",
}


def coloured(stream: TextIO) -> bool:
    """Whether the stream shows colour: a terminal, and nobody said NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, key: str = "") -> str:
    """The text in the colour of a phase or of a cache status."""
    code = _COLOURS.get(key or text.strip())
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def dim(text: str) -> str:
    """The text, less bright."""
    return f"\x1b[2m{text}\x1b[0m" if text else text


def columns(
    rows: Iterable[Sequence[str]], *, heading: Sequence[str] = (), colour: bool = False, first_max: int = sys.maxsize
) -> list[str]:
    """Lines with the cells of each column under each other.

    Args:
        first_max: A first cell that is longer has a line of its own, before that of those beside it.
    """
    table = [*([heading] if heading else []), *rows]
    if not table:
        return []
    beside = [["", *row[1:]] if len(row[0]) > first_max else row for row in table]
    widths = [max(len(row[i]) for row in beside) for i in range(len(table[0]))]
    lines = []
    for row, kept in zip(table, beside, strict=True):
        if kept is not row:
            lines.append(row[0])
        cells = [cell.ljust(width) for cell, width in zip(kept, widths, strict=True)]
        if row is heading:
            shown = [dim(cell) if colour else cell for cell in cells]
        else:
            shown = [paint(cell) if colour else cell for cell in cells]
        lines.append("  ".join(shown).rstrip())
    return lines


def echo(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Write lines to a stream, by default standard output."""
    target = stream or sys.stdout
    text = "".join(f"{line}\n" for line in lines)
    if text:
        target.write(text)
        target.flush()


def moment(at: float | None) -> str:
    """A time of the clock, as people here read it."""
    if at is None:
        return ""
    from datetime import datetime

    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(began: float | None, ended: float | None) -> str:
    """How long something took; empty if it did not begin or has not ended."""
    if began is None or ended is None:
        return ""
    from wingbeat.base.units import format_duration

    return format_duration(max(ended - began, 0.0))
