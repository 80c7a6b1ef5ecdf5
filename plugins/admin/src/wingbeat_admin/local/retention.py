"""Which executions the history cannot let go of yet, and how it lets go of others, of backfills and of refusals. Statements within
transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from wingbeat.contracts.retention import Expired

_AMONG = "IN (SELECT value FROM json_each(?))"
_WHYS = (
    (
        "an artifact of it is the newest of its kind",
        f"""SELECT execution FROM artifacts AS one WHERE execution {_AMONG} AND NOT EXISTS (SELECT 1 FROM artifacts AS other WHERE
        (other.project, other.domain, other.name) = (one.project, one.domain, one.name) AND other.partitions = one.partitions
        AND other.number > one.number)""",
    ),
    ("its artifacts are still to be published", f"SELECT execution FROM publishing WHERE execution {_AMONG}"),
    (
        "somebody is still to be told of it",
        f"SELECT execution FROM notices WHERE execution {_AMONG} AND state = 'waiting'",
    ),
)
_CAUSES = "SELECT DISTINCT cause FROM due WHERE state = 'waiting'"
_GOING = (
    f"DELETE FROM execution_values WHERE execution IN (SELECT number FROM executions WHERE id {_AMONG})",
    f"DELETE FROM unread WHERE execution {_AMONG}",
    f"DELETE FROM artifacts WHERE execution {_AMONG}",
    f"DELETE FROM uses WHERE execution {_AMONG}",
    f"DELETE FROM children WHERE execution {_AMONG}",
    f"DELETE FROM notices WHERE execution {_AMONG}",
    f"DELETE FROM deadlines WHERE execution {_AMONG}",
    f"DELETE FROM due WHERE execution {_AMONG} AND state = 'launched'",
    f"DELETE FROM executions WHERE id {_AMONG}",
)

_OVER = "SELECT number FROM backfills WHERE ended_at < ? ORDER BY number LIMIT ?"
_REFUSED = "SELECT execution FROM due WHERE state = 'refused' AND at < ? ORDER BY at LIMIT ?"
# The rows of ticks whose backfill is gone: a number is not given again. Which numbers there are is found by leaps.
_LEFT = """
    WITH RECURSIVE numbers (number) AS (
        SELECT min(backfill) FROM backfill_ticks
        UNION ALL SELECT (SELECT min(backfill) FROM backfill_ticks WHERE backfill > number) FROM numbers WHERE number IS NOT NULL
    )
    SELECT backfill, tick FROM backfill_ticks WHERE backfill IN (
        SELECT number FROM numbers WHERE number IS NOT NULL AND number NOT IN (SELECT number FROM backfills)
    ) LIMIT ?
"""


def retained(db: sqlite3.Connection, executions: Sequence[str]) -> dict[str, str]:
    """Those of these executions that must stay, each with why."""
    found: dict[str, str] = {}
    for why, query in _WHYS:
        found |= dict.fromkeys((row[0] for row in db.execute(query, (_json(executions),))), why)
    # What has caused a launch is an execution, or an artifact of one: project/domain/name@EXECUTION.
    causes = {cause.rpartition("@")[2] for (cause,) in db.execute(_CAUSES)}
    return found | dict.fromkeys(causes.intersection(executions), "it has caused what is still to be launched")


def forget(db: sqlite3.Connection, executions: Sequence[str]) -> None:
    """Let go of them, and of what is known of them."""
    for statement in _GOING:
        db.execute(statement, (_json(executions),))


def expire(db: sqlite3.Connection, before: float, limit: int) -> Expired:
    """Let go of backfills that were over before that moment, with their ticks, and of what was refused before: of at most so many
    rows of each. A backfill goes before its ticks, so that nobody meets half of one."""
    gone = db.execute(f"DELETE FROM backfills WHERE number IN ({_OVER})", (before, limit)).rowcount
    ticks = db.execute(f"DELETE FROM backfill_ticks WHERE (backfill, tick) IN ({_LEFT})", (limit,)).rowcount
    refused = db.execute(f"DELETE FROM due WHERE execution IN ({_REFUSED})", (before, limit)).rowcount
    return Expired(gone, refused, gone + ticks + refused)


def expired(db: sqlite3.Connection, before: float) -> Expired:
    """What would go."""
    (backfills,) = db.execute("SELECT count(*) FROM backfills WHERE ended_at < ?", (before,)).fetchone()
    (refused,) = db.execute("SELECT count(*) FROM due WHERE state = 'refused' AND at < ?", (before,)).fetchone()
    return Expired(backfills, refused)


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
