"""Which executions of a SQLite journal have not ended: none of them may be overlooked, whatever bit has flipped.

`phase` and `ended_at` of a record only say where to look; what happened is in the facts. But an execution that they wrongly say
has ended would never be looked at. So they have a checksum of their own, and the journal keeps count of those that have not ended.
Where the count does not fit, every record is looked at, and one whose phase cannot be believed counts as not ended: whoever reads
its facts finds out.
"""

from __future__ import annotations

import logging
import sqlite3
import zlib
from typing import Any

import msgspec

from wingbeat.spec.phase import ExecutionPhase

OPEN = ExecutionPhase.RUNNING
"""The phase of one that may not have ended."""
_PHASES = frozenset(ExecutionPhase)

_log = logging.getLogger("wingbeat.journal")


def end_crc(execution: str, phase: str, ended_at: float | None) -> int:
    """The checksum of what changes of a record."""
    return zlib.crc32(msgspec.msgpack.encode((execution, phase, ended_at)))


def believed(execution: Any, phase: Any, ended_at: Any, crc: Any) -> bool:
    """Whether what a record says of its end is what was written. One from before there was a checksum has to make sense."""
    if crc is None:
        return phase in _PHASES and ExecutionPhase(phase).terminal == (ended_at is not None)
    return bool(end_crc(execution, phase, ended_at) == crc)


def count_live(db: sqlite3.Connection) -> None:
    """See to it that every execution that has not ended is found under ``ended_at IS NULL``, by the index of these."""
    query = "SELECT id, phase, ended_at, end_crc FROM executions WHERE ended_at IS NULL"
    counted = db.execute("SELECT value FROM meta WHERE key = 'live'").fetchone()
    try:
        live = {row[0] for row in db.execute(query) if row[2] is None and believed(*row)}
        if counted is not None and len(live) == counted[0]:
            return
    except sqlite3.DatabaseError:  # the index leads to where nothing is
        if counted is None:
            raise
    if counted is not None:
        _log.warning(
            "The journal does not find as many executions that have not ended as there should be; it looks at all."
        )
        _look_at_all(db)
    db.execute("INSERT OR REPLACE INTO meta SELECT 'live', count(*) FROM executions NOT INDEXED WHERE ended_at IS NULL")


def _look_at_all(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("REINDEX executions_live")
        db.execute("REINDEX executions_key")
        every = db.execute("SELECT id, phase, ended_at, end_crc FROM executions NOT INDEXED").fetchall()
        for row in every:
            if not believed(*row):
                _log.warning("Whether execution %s has ended is told by its facts: its record is damaged.", row[0])
                values = (OPEN, end_crc(row[0], OPEN, None), row[0])
                db.execute("UPDATE executions SET phase = ?, ended_at = NULL, end_crc = ? WHERE id = ?", values)
        known = {row[0] for row in every}
        for (execution,) in db.execute("SELECT DISTINCT execution FROM facts").fetchall():
            if execution not in known:
                _log.error("The record of execution %s is not in the journal any more; it cannot go on.", execution)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise
