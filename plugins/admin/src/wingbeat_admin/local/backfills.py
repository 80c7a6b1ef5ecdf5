"""Backfills in the file: each with a row for every tick, from its creation on. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.contracts.backfill import (
    BACKFILL_LABEL,
    FAILURES_TOLD,
    Backfill,
    BackfillEntry,
    BackfillPage,
    BackfillPhase,
    BackfillQuery,
    FailedTick,
)
from wingbeat.contracts.engine import Summary
from wingbeat.spec.identity import Identity, parse_identity
from wingbeat.spec.literal import Literals
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.local import due
from wingbeat_admin.local.firing import execution_id
from wingbeat_admin.places import clause

SCHEMA = """
    CREATE TABLE backfills (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, entity TEXT NOT NULL,
        content TEXT NOT NULL, inputs BLOB NOT NULL, principal TEXT NOT NULL,
        phase TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, created_at REAL NOT NULL, concurrency INTEGER NOT NULL,
        by TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', again INTEGER NOT NULL, reverse INTEGER NOT NULL, ended_at REAL,
        waiting INTEGER NOT NULL, running INTEGER NOT NULL DEFAULT 0, succeeded INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, there INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX backfills_by_place ON backfills (project, domain, number);
    CREATE INDEX backfills_under_way ON backfills (number) WHERE ended_at IS NULL;
    CREATE TABLE backfill_ticks (
        backfill INTEGER NOT NULL, tick REAL NOT NULL, state TEXT NOT NULL, round INTEGER NOT NULL DEFAULT 0,
        execution TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (backfill, tick)
    ) WITHOUT ROWID;
    CREATE INDEX backfill_ticks_by_state ON backfill_ticks (backfill, state, tick);
    CREATE INDEX backfill_ticks_that_run ON backfill_ticks (execution) WHERE state = 'running';
    """
"""The states of ticks are the columns of `backfills` that count them: a tick moves from one to another together with the counts.
`round` counts how often one was to be run again after it had failed."""
TOLD = """
    ALTER TABLE backfills ADD COLUMN notify_each INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE backfills ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX backfills_untold ON backfills (number) WHERE untold
    """
"""`untold`: it has ended, and whom to tell is still to be decided."""

LOOKED_AT_ONCE = 500
"""So many ticks of a backfill are looked at in one transaction: most of them may be there already."""

_COLUMNS = (
    "id, entity, phase, since, until, created_at, concurrency, by, reason, again, reverse, ended_at, waiting, running, succeeded, "
    "failed, there, notify_each"
)
_inputs = msgspec.json.Decoder(Literals)


class Stopped(Struct, frozen=True):
    """An execution that is still to be stopped, of a backfill that was aborted, and why."""

    execution: str
    backfill: str
    reason: str


def unknown_backfill(id: str) -> NotFound:
    """What is said of a backfill that is not there."""
    return NotFound(f"There is no backfill {id!r}.", hint="'wingbeat get backfills' lists them.")


def create(
    db: sqlite3.Connection, entity: Identity, wanted: Backfill, content: str, inputs: Literals, ticks: Sequence[float],
    by: str, principal: str, now: float,
) -> BackfillEntry:  # fmt: skip
    """Begin one, or find it. Raises ConflictError.

    Args:
        content: Digest of what was wanted.

        principal: Who asks, if that was proved; executions are labelled with it.
    """
    found = db.execute("SELECT content FROM backfills WHERE id = ?", (wanted.name,)).fetchone()
    if found is not None:
        if found[0] != content:
            raise ConflictError(
                f"There is a backfill {wanted.name!r} already, with another content.",
                hint="Give this one another name.",
            )
        return one(db, wanted.name)
    values = {
        "id": wanted.name, "project": entity.project, "domain": entity.domain, "name": entity.name, "entity": str(entity),
        "content": content, "inputs": msgspec.json.encode(inputs), "principal": principal, "phase": BackfillPhase.RUNNING,
        "since": wanted.since, "until": wanted.until, "created_at": now, "concurrency": wanted.concurrency, "by": by,
        "again": wanted.again, "reverse": wanted.reverse, "waiting": len(ticks), "notify_each": wanted.notify_each,
    }  # fmt: skip
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    number = db.execute(f"INSERT INTO backfills ({columns}) VALUES ({marks})", tuple(values.values())).lastrowid
    rows = ((number, tick) for tick in ticks)
    db.executemany("INSERT INTO backfill_ticks (backfill, tick, state) VALUES (?, ?, 'waiting')", rows)
    return one(db, wanted.name)


def known(db: sqlite3.Connection, executions: Iterable[str]) -> int:
    """How many of these there are, as far as the history and what is due know."""
    return sum(due.is_there(db, execution) or due.is_past(db, execution) for execution in executions)


# -- ticks on their way


def take(db: sqlite3.Connection, now: float) -> int:
    """Have backfills take ticks, as many as may be under way at once; says of how many ticks that decided."""
    where = "ended_at IS NULL AND phase = 'running' AND waiting > 0 AND running < concurrency"
    columns = "number, id, entity, concurrency - running, again, reverse"
    rows = db.execute(f"SELECT {columns} FROM backfills WHERE {where} ORDER BY number").fetchall()
    return sum(_take(db, now, *row) for row in rows)


def _take(
    db: sqlite3.Connection, now: float, number: int, id: str, entity: str, room: int, again: int, reverse: int
) -> int:
    order = "DESC" if reverse else "ASC"
    query = (
        f"SELECT tick, round FROM backfill_ticks WHERE backfill = ? AND state = 'waiting' ORDER BY tick {order} LIMIT ?"
    )
    name, decided = parse_identity(entity).entity, 0
    for tick, round_ in db.execute(query, (number, LOOKED_AT_ONCE)).fetchall():
        cause = due.tick_cause(tick)
        own = f"{cause} of {id} {round_}" if again or round_ else cause
        execution = execution_id(name, own)
        if due.is_past(db, execution):
            _move(db, number, tick, "waiting", "there", execution)
        elif due.is_there(db, execution):  # somebody else's, which may come to nothing: another backfill is aborted
            continue
        else:
            due.add_backfilled(db, id, entity, execution, cause, tick, now)
            _move(db, number, tick, "waiting", "running", execution)
            room -= 1
        decided += 1
        if not room:
            break
    _settle(db, number, now)
    return decided


def given(db: sqlite3.Connection, id: str) -> tuple[Literals, str]:
    """What the executions of a backfill are given, and who has created it, if that was proved."""
    inputs, principal = db.execute("SELECT inputs, principal FROM backfills WHERE id = ?", (id,)).fetchone()
    return _inputs.decode(inputs), principal


def ended(db: sqlite3.Connection, summary: Summary, now: float) -> None:
    """An execution has ended: if it is of a tick, that is done with."""
    phase, of = summary.phase, summary.labels.get(BACKFILL_LABEL)
    for number, id, tick in _running(db, summary.id):
        if of != id:
            _move(db, number, tick, "running", "there", summary.id)
        elif phase is ExecutionPhase.SUCCEEDED:
            _move(db, number, tick, "running", "succeeded", summary.id)
        else:
            _move(db, number, tick, "running", "failed", summary.id, phase.value)
        _settle(db, number, now)


def found_there(db: sqlite3.Connection, execution: str, now: float) -> None:
    """The execution that was to be launched for a tick is there, and none of the backfill's."""
    due.drop(db, execution)
    for number, _, tick in _running(db, execution):
        _move(db, number, tick, "running", "there", execution)
        _settle(db, number, now)


def refused(db: sqlite3.Connection, execution: str, why: str, now: float) -> None:
    """The execution of a tick cannot be launched, now or later."""
    due.drop(db, execution)
    for number, _, tick in _running(db, execution):
        _move(db, number, tick, "running", "failed", "", why)
        _settle(db, number, now)


def put_back(db: sqlite3.Connection, execution: str, why: str, now: float) -> None:
    """The execution of a tick was not launched, and is not for now: the tick waits again. With a reason, its backfill pauses."""
    due.drop(db, execution)
    for number, _, tick in _running(db, execution):
        _move(db, number, tick, "running", "waiting")
        if why:
            db.execute(
                "UPDATE backfills SET phase = 'paused', reason = ? WHERE number = ? AND phase = 'running'",
                (why, number),
            )
        _settle(db, number, now)


def stopped(db: sqlite3.Connection, limit: int) -> list[Stopped]:
    """What is still to be stopped."""
    rows = db.execute(
        "SELECT execution, id, backfills.reason FROM backfills JOIN backfill_ticks ON backfill = number "
        "WHERE ended_at IS NULL AND phase = 'aborted' AND state = 'running' LIMIT ?",
        (limit,),
    )
    return [Stopped(*row) for row in rows]


def _running(db: sqlite3.Connection, execution: str) -> list[tuple[int, str, float]]:
    """The tick that has this execution under way, if one has: its backfill, and the tick."""
    return db.execute(
        "SELECT number, id, tick FROM backfill_ticks JOIN backfills ON number = backfill WHERE execution = ? AND state = 'running'",
        (execution,),
    ).fetchall()


def _move(
    db: sqlite3.Connection, number: int, tick: float, from_: str, to: str, execution: str = "", reason: str = ""
) -> None:
    set_ = "UPDATE backfill_ticks SET state = ?, execution = ?, reason = ? WHERE backfill = ? AND tick = ?"
    db.execute(set_, (to, execution, reason, number, tick))
    db.execute(f"UPDATE backfills SET {from_} = {from_} - 1, {to} = {to} + 1 WHERE number = ?", (number,))


def _settle(db: sqlite3.Connection, number: int, now: float) -> None:
    """See whether a backfill has ended."""
    done = "ended_at IS NULL AND running = 0 AND (waiting = 0 OR phase = 'aborted')"
    phase = "CASE phase WHEN 'aborted' THEN phase ELSE 'ended' END"
    db.execute(
        f"UPDATE backfills SET phase = {phase}, ended_at = ?, untold = 1 WHERE number = ? AND {done}", (now, number)
    )


def untold(db: sqlite3.Connection) -> list[BackfillEntry]:
    """Those that are over of which nobody was told yet. From now on they count as told."""
    ids = db.execute("SELECT id FROM backfills WHERE untold AND ended_at IS NOT NULL").fetchall()
    db.execute("UPDATE backfills SET untold = 0 WHERE untold")
    return [one(db, id) for (id,) in ids]


def is_told_as_one(db: sqlite3.Connection, labels: Mapping[str, str]) -> bool:
    """Whether an execution with these labels is of a backfill that is told of as a whole."""
    if (id := labels.get(BACKFILL_LABEL)) is None:
        return False
    row = db.execute("SELECT notify_each FROM backfills WHERE id = ?", (id,)).fetchone()
    return row is not None and not row[0]


# -- what people do with them


def pause(db: sqlite3.Connection, id: str, reason: str) -> BackfillEntry:
    """Take no tick until it is resumed. Raises NotFound, ConflictError."""
    entry = one(db, id)
    if entry.phase in (BackfillPhase.ENDED, BackfillPhase.ABORTED):
        raise ConflictError(f"The backfill {id} {_over(entry)}: nothing of it waits.")
    db.execute("UPDATE backfills SET phase = 'paused', reason = ? WHERE id = ?", (reason, id))
    return one(db, id)


def resume(db: sqlite3.Connection, id: str, *, failed: bool) -> BackfillEntry:
    """Go on, also with what has failed if that is wanted. Raises NotFound, ConflictError."""
    entry = one(db, id)
    if entry.phase is BackfillPhase.ABORTED:
        raise ConflictError(
            f"The backfill {id} was aborted.",
            hint="Create another one over what is left: what has run is not run again.",
        )
    if failed and entry.failed:
        set_ = "state = 'waiting', round = round + (execution != ''), execution = '', reason = ''"
        of = "backfill = (SELECT number FROM backfills WHERE id = ?) AND state = 'failed'"
        db.execute(f"UPDATE backfill_ticks SET {set_} WHERE {of}", (id,))
        db.execute("UPDATE backfills SET waiting = waiting + failed, failed = 0, ended_at = NULL WHERE id = ?", (id,))
    db.execute("UPDATE backfills SET phase = 'running', reason = '' WHERE id = ? AND ended_at IS NULL", (id,))
    return one(db, id)


def abort(db: sqlite3.Connection, id: str, reason: str, now: float) -> BackfillEntry:
    """Take no tick any more. Raises NotFound."""
    entry = one(db, id)
    if entry.phase in (BackfillPhase.ENDED, BackfillPhase.ABORTED):
        return entry
    db.execute("UPDATE backfills SET phase = 'aborted', reason = ? WHERE id = ?", (reason, id))
    due.withdraw(db, id)
    (number,) = db.execute("SELECT number FROM backfills WHERE id = ?", (id,)).fetchone()
    _settle(db, number, now)
    return one(db, id)


def _over(entry: BackfillEntry) -> str:
    return "was aborted" if entry.phase is BackfillPhase.ABORTED else "has ended"


# -- as they are shown


def one(db: sqlite3.Connection, id: str) -> BackfillEntry:
    """One, with its inputs and some of its failures. Raises NotFound."""
    row = db.execute(f"SELECT {_COLUMNS}, inputs, number FROM backfills WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise unknown_backfill(id)
    query = "SELECT tick, execution, reason FROM backfill_ticks WHERE backfill = ? AND state = 'failed' ORDER BY tick LIMIT ?"
    failures = [FailedTick(*found) for found in db.execute(query, (row[-1], FAILURES_TOLD)).fetchall()]
    return msgspec.structs.replace(_entry(row[:-2]), failures=failures, inputs=_inputs.decode(row[-2]))


def page(db: sqlite3.Connection, query: BackfillQuery) -> BackfillPage:
    """A page. Raises NotFound for an `after` that is not there."""
    condition, inside = clause(query.within)
    where, values = [condition], list[object](inside)
    for column in ("project", "domain", "name", "phase"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            values.append(value)
    if query.after:
        behind = f"SELECT number FROM backfills WHERE id = ? AND {condition}"
        row = db.execute(behind, (query.after, *inside)).fetchone()
        if row is None:
            raise unknown_backfill(query.after)
        where.append("number < ?")
        values.append(row[0])
    limit = max(1, min(query.limit, PAGE_MAX))
    select = f"SELECT {_COLUMNS} FROM backfills WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"
    items = [_entry(row) for row in db.execute(select, (*values, limit + 1)).fetchall()]
    return BackfillPage(items[:limit], items[limit - 1].id if len(items) > limit else "")


def _entry(row: Sequence[Any]) -> BackfillEntry:
    id, entity, phase, since, until, created_at, concurrency, by, reason, again, reverse, *counts, notify_each = row
    entry = BackfillEntry(
        id,
        entity,
        BackfillPhase(phase),
        since,
        until,
        created_at,
        concurrency,
        by,
        reason,
        bool(again),
        bool(reverse),
        *counts,
    )
    return msgspec.structs.replace(entry, notify_each=bool(notify_each))
