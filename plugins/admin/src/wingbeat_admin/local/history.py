"""The history: which executions there were, by all that one may ask by. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import PAGE_MAX, ExecutionEntry, ExecutionPage, ExecutionQuery
from wingbeat.spec.identity import parse_name
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.valuefilter import TEXT_LENGTH_MAX, ValueFilter, parse_value_filter
from wingbeat_admin.places import clause

SCHEMA = """
    CREATE TABLE execution_values (
        execution INTEGER NOT NULL, side TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, number REAL,
        PRIMARY KEY (execution, side, name)
    ) WITHOUT ROWID;
    CREATE INDEX execution_values_by_text ON execution_values (side, name, text, execution);
    CREATE INDEX execution_values_by_number ON execution_values (side, name, number, execution) WHERE number IS NOT NULL;
    CREATE TABLE unread (execution TEXT PRIMARY KEY, mark INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX unread_by_mark ON unread (mark);
    CREATE INDEX executions_by_created ON executions (created_at, number);
    CREATE INDEX executions_by_ended ON executions (ended_at, number);
    CREATE INDEX executions_by_workflow ON executions (workflow, number);
    INSERT INTO unread SELECT id, number FROM executions WHERE entity != '';
    """
"""`execution_values` holds labels, and of inputs and outputs what one may ask by; `unread` executions whose values are still to be
looked at, each with a mark that is another one when it has changed again."""

LABELS = "labels"
_COLUMNS = "id, workflow, phase, created_at, ended_at, project, domain, entity, cause, labels"
FEW = 1000
_labels = msgspec.json.Decoder(dict[str, str])
_ORDERS = {
    "-created_at": ("number", "<", "DESC"),
    "created_at": ("number", ">", "ASC"),
    "-ended_at": ("ended_at", "<", "DESC"),
    "ended_at": ("ended_at", ">", "ASC"),
}


class Values(Struct, frozen=True):
    """What one may ask an execution by, as it was when it had that mark."""

    execution: str
    mark: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def add_labels(db: sqlite3.Connection, execution: str, labels: Mapping[str, str]) -> None:
    """The labels of an execution in the history."""
    _add(db, execution, LABELS, labels)


def mark_unread(db: sqlite3.Connection, execution: str) -> None:
    """Its values are still to be looked at, or again."""
    db.execute("INSERT OR REPLACE INTO unread SELECT ?, coalesce(max(mark), 0) + 1 FROM unread", (execution,))


def unread(db: sqlite3.Connection, limit: int) -> list[tuple[str, int]]:
    """Some of those whose values are still to be looked at, with their marks."""
    return db.execute("SELECT execution, mark FROM unread ORDER BY mark LIMIT ?", (limit,)).fetchall()


def add_values(db: sqlite3.Connection, found: Iterable[Values]) -> None:
    """They were looked at."""
    for values in found:
        _add(db, values.execution, "inputs", values.inputs)
        _add(db, values.execution, "outputs", values.outputs)
        db.execute("DELETE FROM unread WHERE execution = ? AND mark = ?", (values.execution, values.mark))


def _add(db: sqlite3.Connection, execution: str, side: str, texts: Mapping[str, str]) -> None:
    if not texts:
        return
    rows = [
        (execution, side, name, text, _number(text)) for name, text in texts.items() if len(text) <= TEXT_LENGTH_MAX
    ]
    db.executemany(
        "INSERT OR REPLACE INTO execution_values SELECT number, ?2, ?3, ?4, ?5 FROM executions WHERE id = ?1", rows
    )


def texts_of(literals: Literals) -> dict[str, str]:
    """What one may ask by, as texts: texts, numbers and truth values that are at hand."""
    found = {}
    for name, literal in literals.items():
        value = literal.value if isinstance(literal, Inline) else None
        if isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX:
            found[name] = value
        elif isinstance(value, bool | int | float):
            found[name] = msgspec.json.encode(value).decode()
    return found


def _number(text: str) -> float | None:
    return ValueFilter("inputs", "", "=", text).number


def page(db: sqlite3.Connection, query: ExecutionQuery) -> ExecutionPage:
    """A page. Raises NotFound for an `after` that is not there, InputError for a condition that is none."""
    where, values = _selected(db, query)
    column, than, direction = _ORDERS[query.order]
    if column == "ended_at":
        where.append("ended_at IS NOT NULL")
    if query.after:
        condition, inside = clause(query.within)
        seen = f"SELECT number, ended_at FROM executions WHERE id = ? AND {condition}"
        row = db.execute(seen, (query.after, *inside)).fetchone()
        if row is None:
            raise NotFound(f"There is no execution {query.after!r} in the history.")
        if column == "number":
            where.append(f"number {than} ?")
            values.append(row[0])
        else:
            where.append(f"(ended_at, number) {than} (?, ?)")
            values += [row[1], row[0]]
    limit = max(1, min(query.limit, PAGE_MAX))
    order = f"number {direction}" if column == "number" else f"ended_at {direction}, number {direction}"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM executions WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?", (*values, limit + 1)
    ).fetchall()
    items = [_entry(row) for row in rows[:limit]]
    return ExecutionPage(items, items[-1].id if len(rows) > limit else "")


def _selected(db: sqlite3.Connection, query: ExecutionQuery) -> tuple[list[str], list[Any]]:
    condition, inside = clause(query.within)
    where, values = [condition], list[Any](inside)
    for column in ("project", "domain", "phase", "workflow"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            values.append(value)
    if query.entity:
        name, at, _ = query.entity.partition("@")
        if at:
            where.append("entity = ?")
            values.append(query.entity)
        else:
            found = parse_name(name)
            where.append("project = ? AND domain = ? AND name = ?")
            values += [found.project, found.domain, found.name]
    for sign, moment in ((">=", query.since), ("<", query.until)):
        if moment is not None:
            few = f"SELECT number FROM executions WHERE created_at {sign} ?"
            _add_condition(db, where, values, few, f"+created_at {sign} ?", [moment])
    for name, text in query.labels.items():
        _add_value(db, where, values, LABELS, name, "text = ?", text)
    for one in map(parse_value_filter, query.values):
        operator = "IS NOT" if one.operator == "!=" else one.operator
        if one.number is not None:  # 1 is 1.0
            _add_value(db, where, values, one.side, one.name, f"number {operator} ?", one.number)
        else:
            _add_value(db, where, values, one.side, one.name, f"text {operator} ?", one.value)
    return where, values


def _add_value(
    db: sqlite3.Connection,
    where: list[str],
    values: list[Any],
    side: str,
    name: str,
    condition: str,
    value: str | float,
) -> None:
    few = f"SELECT execution FROM execution_values WHERE side = ? AND name = ? AND {condition}"
    one = "SELECT 1 FROM execution_values WHERE execution = executions.number AND side = ? AND name = ? AND +"
    _add_condition(db, where, values, few, f"EXISTS ({one}{condition})", [side, name, value])


def _add_condition(
    db: sqlite3.Connection, where: list[str], values: list[Any], few: str, many: str, given: Sequence[Any]
) -> None:
    """A condition that holds for `few` executions, which are found first; or for many, so that each is asked at its turn."""
    (count,) = db.execute(f"SELECT count(*) FROM ({few} LIMIT {FEW + 1})", given).fetchone()
    where.append(f"number IN ({few})" if count <= FEW else many)
    values += given


def entry(db: sqlite3.Connection, execution: str) -> ExecutionEntry:
    """One that is in the history."""
    return _entry(db.execute(f"SELECT {_COLUMNS} FROM executions WHERE id = ?", (execution,)).fetchone())


def _entry(row: Sequence[Any]) -> ExecutionEntry:
    id, workflow, phase, created_at, ended_at, project, domain, entity, cause, labels = row
    return ExecutionEntry(
        id,
        workflow,
        ExecutionPhase(phase),
        created_at,
        ended_at,
        project,
        domain,
        entity,
        cause,
        _labels.decode(labels),
    )
