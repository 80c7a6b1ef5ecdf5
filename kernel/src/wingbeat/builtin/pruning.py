"""What a SQLite journal lets go of: executions that have ended, and closures that no execution is of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from wingbeat.builtin.unended import believed
from wingbeat.contracts.failpoints import hit

_ENDED = """
    SELECT id, phase, ended_at, end_crc FROM executions WHERE id IN (SELECT value FROM json_each(?)) AND ended_at IS NOT NULL
"""
_UNUSED = "digest IN (SELECT value FROM json_each(?)) AND digest NOT IN (SELECT closure FROM executions)"


def prune(db: sqlite3.Connection, executions: Sequence[str], closures: Sequence[str]) -> int:
    """See `wingbeat.contracts.journal.Prunable.prune`: the statements within its transaction. Whether an execution has ended is
    told by its record, if that is what was written."""
    ended = [row[0] for row in db.execute(_ENDED, (_json(executions),)).fetchall() if believed(*row)]
    for table, column in (("facts", "execution"), ("snapshots", "execution"), ("executions", "id")):
        db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (_json(ended),))
        hit("journal.pruning")
    db.execute(f"DELETE FROM closures WHERE {_UNUSED}", (_json(closures),))
    return len(ended)


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
