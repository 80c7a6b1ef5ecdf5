"""What triggers were to start and what has not started, of the rows of `due`. Statements within transactions of `Store`."""

from __future__ import annotations

import sqlite3

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.contracts.refusals import REFUSED_MAX, Refusal, RefusalPage, RefusalQuery
from wingbeat_admin.places import clause

SCHEMA = """
    CREATE INDEX due_refused ON due (at, execution) WHERE state = 'refused';
    CREATE INDEX due_refused_by_plan ON due (plan, at) WHERE state = 'refused';
    CREATE VIEW refusals AS SELECT
        execution, entity, cause, at, failed,
        substr(plan, 1, instr(plan, '/') - 1) AS project,
        substr(plan, instr(plan, '/') + 1, instr(substr(plan, instr(plan, '/') + 1), '/') - 1) AS domain,
        substr(plan, instr(plan, '/') + 1 + instr(substr(plan, instr(plan, '/') + 1), '/')) AS name
    FROM due WHERE state = 'refused';
    CREATE INDEX backfills_over ON backfills (ended_at) WHERE ended_at IS NOT NULL;
    """
"""The places are those of `plan`, ``project/domain/name``. The last index is for `retention`."""

_OLDEST = """
    DELETE FROM due WHERE plan = :plan AND state = 'refused' AND at <= (
        SELECT at FROM due WHERE plan = :plan AND state = 'refused' ORDER BY at DESC LIMIT 1 OFFSET :max)
"""


def refuse(db: sqlite3.Connection, execution: str, why: str) -> None:
    """What is due cannot be launched, now or later; that is kept, and the oldest of its launch plan go."""
    row = db.execute("SELECT plan FROM due WHERE execution = ?", (execution,)).fetchone()
    if row is not None:
        db.execute("UPDATE due SET state = 'refused', failed = ? WHERE execution = ?", (why, execution))
        db.execute(_OLDEST, {"plan": row[0], "max": REFUSED_MAX})


def page(db: sqlite3.Connection, query: RefusalQuery) -> RefusalPage:
    """A page. Raises NotFound for an `after` that is not there."""
    condition, inside = clause(query.within)
    where, values = [condition], list[object](inside)
    for column in ("project", "domain", "name"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            values.append(value)
    if query.after:
        row = db.execute(
            f"SELECT at, execution FROM refusals WHERE execution = ? AND {condition}", (query.after, *inside)
        ).fetchone()
        if row is None:
            raise NotFound(
                f"No launch {query.after!r} was refused.", hint="'wingbeat get refusals' lists those that were."
            )
        where.append("(at, execution) < (?, ?)")
        values += row
    limit = max(1, min(query.limit, PAGE_MAX))
    select = "SELECT execution, entity, cause, at, failed FROM refusals WHERE"
    order = "ORDER BY at DESC, execution DESC LIMIT ?"
    rows = db.execute(f"{select} {' AND '.join(where)} {order}", (*values, limit + 1)).fetchall()
    items = [Refusal(*row) for row in rows]
    return RefusalPage(items[:limit], items[limit - 1].id if len(items) > limit else "")
