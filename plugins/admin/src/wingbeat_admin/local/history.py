"""The history: which executions there were, by all that one may ask by. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.contracts.admin import PAGE_MAX, ExecutionEntry, ExecutionPage, ExecutionQuery
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.valuefilter import TEXT_LENGTH_MAX, number_of
from wingbeat_admin.local.selecting import Condition, is_gone_along, selected, settled
from wingbeat_admin.local.sorting import place_of, sorting_of

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

TIMES = """
    UPDATE execution_values SET number = number_of(text)
        WHERE number IS NULL AND (text GLOB '[0-9][0-9][0-9][0-9]-[0-9]*' OR text GLOB 'P*' OR text GLOB '-P*')
    """
"""Moments and durations go by numbers, too."""

RUNS = """
    ALTER TABLE executions ADD COLUMN runs TEXT NOT NULL DEFAULT '';
    UPDATE executions SET runs = coalesce((
        SELECT nullif(launches, '') FROM entities WHERE (entities.project, entities.domain, entities.name, entities.version)
        = (executions.project, executions.domain, executions.name, substr(entity, instr(entity, '@') + 1))), name);
    CREATE INDEX executions_by_runs ON executions (project, domain, runs, number);
    CREATE INDEX executions_by_run_version ON executions (project, domain, runs, version_key, number)
    """
"""`runs`: the name of what runs, beside `name`: of an execution of a launch plan its workflow."""

LABELS = "labels"
_COLUMNS = "executions.id, workflow, phase, created_at, ended_at, project, domain, entity, cause, labels"
_labels = msgspec.json.Decoder(dict[str, str])


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
        (execution, side, name, text, number_of(text)) for name, text in texts.items() if len(text) <= TEXT_LENGTH_MAX
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


def page(db: sqlite3.Connection, query: ExecutionQuery) -> ExecutionPage:
    """A page. Raises NotFound for an `after` that is not there, InputError for a condition that is none."""
    sorting = settled(db, query, sorting_of(query.sort))
    conditions = selected(db, query, sorting)
    along = is_gone_along(db, sorting, conditions)
    source, order = sorting.source(along=along), sorting.order if along else sorting.order_of_few
    conditions.append(Condition(*sorting.having()))
    if query.after:
        conditions.append(Condition(*sorting.behind(place_of(db, sorting, query.after, query.within))))
    limit = max(1, min(query.limit, PAGE_MAX))
    where = " AND ".join(each.text for each in conditions) or "1"
    rows = db.execute(
        f"SELECT {_COLUMNS}, executions.number, {sorting.key} FROM {source} WHERE {where} ORDER BY {order} LIMIT ?",
        (*(value for each in conditions for value in each.values), limit + 1),
    ).fetchall()
    items = [_entry(row[:-2]) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return ExecutionPage(items, "" if last is None else sorting.token(last[0], last[-2], last[-1]))


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
