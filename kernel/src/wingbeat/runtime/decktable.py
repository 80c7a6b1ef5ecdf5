"""Tables in the page of an attempt: whatever has rows and columns, as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

CELL_CHARS_MAX = 500


class Grid(NamedTuple):
    """A table, as far as it is shown: its headings, its first rows, and how many there are in all."""

    columns: list[str]
    rows: list[list[Any]]
    total: int


def table(value: Any, rows_max: int) -> str:
    """The table as HTML. Raises TypeError if it is none."""
    grid = _grid(value, rows_max)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in grid.columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in grid.rows)
    made = f"<table>\n{f'<thead><tr>{head}</tr></thead>' if head else ''}\n<tbody>\n{body}\n</tbody>\n</table>"
    if grid.total > len(grid.rows):
        made += f'\n<p class="dim">{len(grid.rows)} of {grid.total} rows</p>'
    return made


def _grid(value: Any, most: int) -> Grid:
    package = type(value).__module__.partition(".")[0]
    if package == "pandas" and hasattr(value, "itertuples"):
        named = any(name is not None for name in value.index.names) or type(value.index).__name__ != "RangeIndex"
        shown = value.head(most)
        shown = shown.reset_index() if named else shown
        return Grid([_name(c) for c in shown.columns], [list(r) for r in shown.itertuples(index=False)], len(value))
    if package == "polars" and hasattr(value, "rows"):
        return Grid(list(value.columns), [list(row) for row in value.head(most).rows()], value.height)
    if package == "pyarrow" and hasattr(value, "column_names"):
        columns = [value.slice(0, most).column(i).to_pylist() for i in range(value.num_columns)]
        return Grid(list(value.column_names), [list(row) for row in zip(*columns, strict=True)], value.num_rows)
    if isinstance(value, Mapping):
        rows = [list(row) for row in zip(*map(list, value.values()), strict=True)]
        return Grid([str(name) for name in value], rows[:most], len(rows))
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"deck.table() takes a data frame or rows, not {type(value).__name__}")
    return _of_rows(value, most)


def _of_rows(value: Iterable[Any], most: int) -> Grid:
    """Of rows that are given one by one; those that are not shown are only counted."""
    rows = iter(value)
    first = list(islice(rows, most))
    total = len(value) if isinstance(value, Sequence) else len(first) + sum(1 for _ in rows)
    found = [_fields(row) for row in first]
    if found and all(isinstance(row, Mapping) for row in found):
        columns = list(dict.fromkeys(str(name) for row in found for name in row))
        by_name = [{str(name): cell for name, cell in row.items()} for row in found if isinstance(row, Mapping)]
        return Grid(columns, [[row.get(name, "") for name in columns] for row in by_name], total)
    plain = [list(row) if isinstance(row, list | tuple) else [row] for row in found]
    width = max(map(len, plain), default=0)
    return Grid([], [row + [""] * (width - len(row)) for row in plain], total)


def _fields(row: Any) -> Any:
    """A record as a mapping; anything else as it is."""
    names: Any = getattr(row, "_fields", None) or getattr(type(row), "__struct_fields__", None)
    names = names or getattr(type(row), "__dataclass_fields__", None)
    return {name: getattr(row, name) for name in names} if names else row


def _name(column: Any) -> str:
    return " / ".join(map(str, column)) if isinstance(column, tuple) else str(column)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    if len(text) > CELL_CHARS_MAX:
        text = f"{text[:CELL_CHARS_MAX]}…"
    right = ' class="n"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return f"<td{right}>{html.escape(text)}</td>"
