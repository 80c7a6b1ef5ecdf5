"""The order of launches and changes of phases in a SQLite journal, by which others follow what happens in it."""

from __future__ import annotations

import sqlite3


def number_changes(db: sqlite3.Connection) -> None:
    """Make the index, and number the executions of a file from before, in the order of their launches."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE INDEX IF NOT EXISTS executions_changed ON executions(changed)")
        db.execute("UPDATE executions SET changed = number WHERE changed IS NULL")
        db.execute("INSERT OR IGNORE INTO meta SELECT 'changed', ifnull(max(changed), 0) FROM executions")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def take_numbers(db: sqlite3.Connection, count: int) -> int:
    """The first of as many numbers as are needed, within a transaction."""
    if not count:
        return 0
    statement = "UPDATE meta SET value = value + ? WHERE key = 'changed' RETURNING value"
    found = db.execute(statement, (count,)).fetchone()
    if found is None or not isinstance(found[0], int):
        raise sqlite3.DatabaseError("its count of changes is damaged")
    return int(found[0]) - count + 1
