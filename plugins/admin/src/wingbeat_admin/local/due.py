"""What is due: launches that triggers have decided on, from the decision until they are in the engine's journal, and those that
others of their schedule wait for until they have ended. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from msgspec import Struct

from wingbeat.spec.identity import Identity
from wingbeat.spec.triggers import CronSpec, ScheduleSpec
from wingbeat_admin.local.firing import execution_id
from wingbeat_admin.local.refusals import refuse
from wingbeat_admin.local.ticks import TICKS_MAX, Missed, jitter_s

BUFFERED_MAX = 1000
"""So many ticks of a schedule may wait for their turn; what comes then is left out."""
_BACKFILL = "backfill "
"""What a backfill has in the place of a launch plan begins with this: so no schedule sees its executions."""

BESIDE, WAITS, STOPS, APART = 1, 2, 3, 4
"""How ticks go with others of their schedule that are under way (`serial`; 0 is what is of no schedule): they begin beside them,
wait for their turn, have them stopped and wait for their ends, or do not look at them."""

_READY = f"""
    SELECT execution, entity, cause, tick, plan FROM due AS one WHERE state = 'waiting' AND at <= :now AND (
        serial NOT IN ({WAITS}, {STOPS}) OR NOT EXISTS (
        SELECT 1 FROM due AS other WHERE other.plan = one.plan AND other.serial AND other.execution != one.execution AND (
            other.state = 'launched' OR (one.serial = {WAITS} AND other.state = 'waiting'
            AND (other.tick, other.execution) < (one.tick, one.execution)))))
    ORDER BY plan GLOB '{_BACKFILL}*', at, execution LIMIT :limit
"""
_OVERTAKEN = f"""
    SELECT one.execution, other.execution, max(other.tick) FROM due AS one JOIN due AS other USING (plan)
    WHERE one.serial AND one.state = 'launched' AND other.serial AND other.tick > one.tick AND plan NOT GLOB '{_BACKFILL}*' AND (
        (other.serial = {BESIDE} AND other.state = 'launched')
        OR (other.serial = {STOPS} AND other.state = 'waiting' AND other.at <= :now))
    GROUP BY one.execution LIMIT :limit
"""
_SERIAL = {
    "skip": BESIDE, "buffer_one": WAITS, "buffer_all": WAITS, "cancel_other": STOPS, "terminate_other": BESIDE, "allow_all": APART,
}  # fmt: skip


class Due(Struct, frozen=True):
    """A launch: the id that it gets, of what, why, the tick, if it is of a schedule, and whose others it may wait for."""

    execution: str
    entity: str
    cause: str
    tick: float | None
    plan: str

    @property
    def backfill(self) -> str:
        """The id of the backfill that it is of; empty if it is of none."""
        return self.plan.removeprefix(_BACKFILL) if self.plan.startswith(_BACKFILL) else ""


def add_fired(db: sqlite3.Connection, id: Identity, cause: str, at: float) -> int:
    """What the end of an execution has fired; 0 if that was decided already."""
    values = (execution_id(id.entity, cause), str(id), str(id.entity), cause, None, at, 0)
    return _insert(db, values)


def add_tick(db: sqlite3.Connection, id: Identity, schedule: ScheduleSpec, tick: float) -> int:
    """A tick, as its overlap policy has it; 0 if nothing is to be launched for it."""
    plan, cause = str(id.entity), tick_cause(tick)
    if is_past(db, execution_id(id.entity, cause)):  # a backfill was faster
        return 0
    others = dict(
        db.execute(
            "SELECT state, count(*) FROM due WHERE plan = ? AND serial AND state != 'refused' GROUP BY state", (plan,)
        ).fetchall()
    )
    waiting, launched = others.get("waiting", 0), others.get("launched", 0)
    left_out = ""
    match schedule.overlap:
        case "skip" if waiting or launched:
            left_out = "another execution of the schedule was under way"
        case "buffer_one" if waiting:
            left_out = "another tick of the schedule was waiting already"
        case "buffer_all" if waiting >= BUFFERED_MAX:
            left_out = f"{BUFFERED_MAX:,} ticks of the schedule were waiting already"
    serial = _SERIAL[schedule.overlap]
    execution, at = execution_id(id.entity, cause), tick + jitter_s(schedule, id.entity, tick)
    added = _insert(db, (execution, str(id), plan, cause, tick, at, serial))
    if added and left_out:
        refuse(db, execution, f"{left_out} (overlap: {schedule.overlap})")
    return 0 if left_out else added


def add_missed(db: sqlite3.Connection, id: Identity, schedule: ScheduleSpec, missed: Missed) -> None:
    """Ticks that passed while nothing looked and that do not count: one refusal for all of them. It has an id of its own, so that
    any of them may still be launched, as by a backfill."""
    first, last = (datetime.fromtimestamp(tick, UTC).isoformat() for tick in (missed.first, missed.last))
    execution = execution_id(id.entity, f"missed {missed.first!r}")
    several = missed.count > 1
    cause = f"ticks {first} to {last}" if several else f"missed {tick_cause(missed.first)}"
    if not _insert(db, (execution, str(id), str(id.entity), cause, None, missed.last, 0)):
        return
    is_more = missed.count > TICKS_MAX and isinstance(schedule.when, CronSpec)
    number = f"more than {TICKS_MAX}" if is_more else f"{missed.count:,}"
    what = f"{number} ticks passed while nothing looked at them" if several else "it passed while nothing looked at it"
    window = "" if schedule.window_s is None else f", window: {schedule.window_s:g} s"
    refuse(db, execution, f"{what} (catch_up: {schedule.catch_up}{window})")


def add_backfilled(
    db: sqlite3.Connection, backfill: str, entity: str, execution: str, cause: str, tick: float, at: float
) -> None:
    """A tick that a backfill has taken."""
    db.execute("DELETE FROM due WHERE execution = ? AND state = 'refused'", (execution,))
    _insert(db, (execution, entity, f"{_BACKFILL}{backfill}", cause, tick, at, BESIDE))


def tick_cause(tick: float) -> str:
    """What is said to have launched the execution of a tick."""
    return f"tick {datetime.fromtimestamp(tick, UTC).isoformat()}"


def _insert(db: sqlite3.Connection, values: tuple[object, ...]) -> int:
    columns = "execution, entity, plan, cause, tick, at, serial"
    return db.execute(f"INSERT OR IGNORE INTO due ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values).rowcount


def ready(db: sqlite3.Connection, now: float, limit: int) -> list[Due]:
    """What is to be launched now."""
    return [Due(*row) for row in db.execute(_READY, {"now": now, "limit": limit})]


def later_of(db: sqlite3.Connection, due: Due) -> str | None:
    """The cause of a later tick of the same schedule that waits, or was launched."""
    where = "plan = ? AND serial AND state IN ('waiting', 'launched') AND tick > ?"
    found = db.execute(f"SELECT cause FROM due WHERE {where} ORDER BY tick LIMIT 1", (due.plan, due.tick)).fetchone()
    return None if found is None else str(found[0])


def waiting_before(db: sqlite3.Connection, due: Due) -> list[Due]:
    """Earlier ticks of the same schedule that wait; some may have been launched, if a crash came before that was noted."""
    columns = "execution, entity, cause, tick, plan"
    query = f"SELECT {columns} FROM due WHERE plan = ? AND serial AND state = 'waiting' AND tick < ?"
    return [Due(*row) for row in db.execute(query, (due.plan, due.tick)).fetchall()]


def others(db: sqlite3.Connection, due: Due) -> list[str]:
    """Executions of the same schedule that were launched and have not ended, as far as is known."""
    query = (
        "SELECT execution FROM due WHERE plan = (SELECT plan FROM due WHERE execution = ?) AND serial AND state = 'launched' "
        "AND execution != ?"
    )
    return [execution for (execution,) in db.execute(query, (due.execution, due.execution))]


def overtaken(db: sqlite3.Connection, now: float, limit: int) -> list[tuple[str, str]]:
    """Executions that are to be stopped, each with the newest one that takes its place: of a schedule that was launched again
    before they had ended (overlap ``terminate_other``), or is to be when they have (``cancel_other``)."""
    found = db.execute(_OVERTAKEN, {"now": now, "limit": limit}).fetchall()
    return [(execution, by) for execution, by, _ in found]


def launched(db: sqlite3.Connection, execution: str) -> None:
    """It is in the engine's journal. One that others wait for stays until it has ended; it may have, already."""
    db.execute("DELETE FROM due WHERE execution = ? AND NOT serial", (execution,))
    db.execute("UPDATE due SET state = 'launched' WHERE execution = ?", (execution,))


def ended(db: sqlite3.Connection, execution: str) -> int:
    """It has ended: nothing waits for it any more; 1 if something might have."""
    return db.execute("DELETE FROM due WHERE execution = ? AND state != 'refused'", (execution,)).rowcount


def postponed(db: sqlite3.Connection, execution: str, at: float) -> None:
    """It is looked at again then; its turn among others stays."""
    db.execute("UPDATE due SET at = ? WHERE execution = ? AND state = 'waiting'", (at, execution))


def is_there(db: sqlite3.Connection, execution: str) -> bool:
    """Whether it is due, or launched and waited for."""
    where = "execution = ? AND state != 'refused'"
    return db.execute(f"SELECT 1 FROM due WHERE {where}", (execution,)).fetchone() is not None


def is_past(db: sqlite3.Connection, execution: str) -> bool:
    """Whether it is in the history."""
    return db.execute("SELECT 1 FROM executions WHERE id = ?", (execution,)).fetchone() is not None


def withdraw(db: sqlite3.Connection, backfill: str) -> None:
    """Launch nothing of a backfill any more, but for what is being launched; the rows stay until it is known what was."""
    plan = f"{_BACKFILL}{backfill}"
    db.execute("UPDATE due SET state = 'withdrawn' WHERE plan = ? AND serial AND state = 'waiting'", (plan,))


def drop(db: sqlite3.Connection, execution: str) -> None:
    """It is not due any more."""
    db.execute("DELETE FROM due WHERE execution = ?", (execution,))


def earliest(db: sqlite3.Connection, now: float) -> float | None:
    """When the next one is due that waits for its time."""
    (found,) = db.execute("SELECT min(at) FROM due WHERE state = 'waiting' AND at > ?", (now,)).fetchone()
    return None if found is None else float(found)
