"""Launch plans that are active: which version, what its trigger waits for, and what that decides to launch. Statements within the
transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from wingbeat.contracts.artifacts import ArtifactEntry
from wingbeat.contracts.engine import Summary
from wingbeat.spec.identity import Identity, Name, parse_name
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, ScheduleSpec, TriggerSpec
from wingbeat_admin.local import artifacts, due, inventory
from wingbeat_admin.local.ticks import decided

_IS = "project = ? AND domain = ? AND name = ?"


def activate(db: sqlite3.Connection, id: Identity, watched: str, first: float | None, at: float) -> None:
    """Make a version the active one. Its trigger counts from `at` on, with the tick `first` if it is a schedule; as before, if
    it is active already."""
    if _active(db, id.entity) != id.version:
        fire_version(db, "activated", id, at)
    db.execute(
        "INSERT INTO active VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT DO UPDATE SET "
        "since = CASE WHEN watched = excluded.watched THEN since ELSE excluded.since END, watched = excluded.watched, "
        "next = CASE WHEN version = excluded.version THEN next ELSE excluded.next END, version = excluded.version",
        (id.project, id.domain, id.name, id.version, at, watched, first),
    )


def _active(db: sqlite3.Connection, name: Name) -> str:
    row = db.execute(f"SELECT version FROM active WHERE {_IS}", _key(name)).fetchone()
    return "" if row is None else str(row[0])


def pause(db: sqlite3.Connection, name: Name, reason: str, next_: float | None) -> bool:
    """Pause with a reason, or (without) go on with the tick `next_`; False if it is not active."""
    set_ = f"UPDATE active SET paused = ?, next = coalesce(?, next) WHERE {_IS}"
    return db.execute(set_, (reason, next_, *_key(name))).rowcount > 0


def halted(db: sqlite3.Connection, plan: str) -> str:
    """Why a tick that was decided on is not launched any more; empty if it is."""
    row = db.execute(f"SELECT paused FROM active WHERE {_IS}", _key(parse_name(plan))).fetchone()
    if row is None:
        return f"{plan} is not active any more."
    return f"The schedule is paused: {row[0]}." if row[0] else ""


def deactivate(db: sqlite3.Connection, name: Name) -> None:
    """Have none be active."""
    db.execute(f"DELETE FROM active WHERE {_IS}", _key(name))


def schedule(db: sqlite3.Connection, id: Identity) -> ScheduleSpec | None:
    """When a launch plan runs by itself; None if it has no schedule, or is not there."""
    plan = inventory.plan(db, id)
    trigger = None if plan is None else plan.trigger
    return trigger if isinstance(trigger, ScheduleSpec) else None


def look(db: sqlite3.Connection, now: float) -> tuple[int, float | None]:
    """Decide about the ticks that have come; says how many launches are due, and when to look again."""
    decided_ = 0
    where = "next <= ? AND paused = '' ORDER BY next LIMIT 1000"
    query = f"SELECT project, domain, name, version, next FROM active WHERE {where}"
    for project, domain, name, version, next_ in db.execute(query, (now,)).fetchall():
        id = Identity(project, domain, name, version)
        when = schedule(db, id)
        if when is None:
            _set_next(db, id.entity, None)
            continue
        found = decided(when, next_, now)
        if found.missed is not None:
            due.add_missed(db, id, when, found.missed)
        for tick in found.ticks:
            decided_ += due.add_tick(db, id, when, tick)
        _set_next(db, id.entity, found.next)
    (again,) = db.execute("SELECT min(next) FROM active WHERE paused = ''").fetchone()
    return decided_, again


def _set_next(db: sqlite3.Connection, name: Name, next_: float | None) -> None:
    db.execute(f"UPDATE active SET next = ? WHERE {_IS}", (next_, *_key(name)))


def fire_end(db: sqlite3.Connection, watched: str, summary: Summary, at: float, *, again: bool = True) -> int:
    """Decide what the end of an execution of `watched`, a workflow or a launch plan, starts; if not `again`, no launch plans of
    that very workflow."""
    count = 0
    for id, trigger, since in _watching(db, watched):
        if not isinstance(trigger, OnEndSpec) or summary.phase not in trigger.phases:
            continue
        if not again and str(inventory.launched_by(db, id)) == watched:
            continue
        if summary.ended_at is not None and summary.ended_at < since:
            continue
        count += due.add_fired(db, id, summary.id, at)
    return count


def fire_artifact(db: sqlite3.Connection, name: Name, entry: ArtifactEntry, at: float) -> int:
    """Decide what a version of an artifact starts that is there now."""
    count = 0
    for id, trigger, since in _watching(db, f"artifact {name}"):
        if not isinstance(trigger, OnArtifactSpec) or entry.created_at < since:
            continue
        fits = trigger.partitions.items() <= entry.partitions.items()
        if fits and (not trigger.only_changed or artifacts.is_changed(db, name, entry)):
            count += due.add_fired(db, id, entry.id, at)
    return count


def fire_version(db: sqlite3.Connection, event: str, id: Identity, at: float) -> int:
    """Decide what a new version starts, or one that is the active one now."""
    cause = f"{event} {id}" if event == "registered" else f"{event} {id} {at!r}"
    count = 0
    for plan, trigger, _ in _watching(db, f"version {id.entity}"):
        if isinstance(trigger, OnVersionSpec) and trigger.event == event:
            count += due.add_fired(db, plan, cause, at)
    return count


def _watching(db: sqlite3.Connection, watched: str) -> Iterator[tuple[Identity, TriggerSpec | None, float]]:
    """Active launch plans that wait for that, their triggers, and since when."""
    query = "SELECT project, domain, name, version, since FROM active WHERE watched = ?"
    for project, domain, name, version, since in db.execute(query, (watched,)).fetchall():
        id = Identity(project, domain, name, version)
        plan = inventory.plan(db, id)
        yield id, None if plan is None else plan.trigger, since


def _key(name: Name) -> tuple[str, str, str]:
    return name.project, name.domain, name.name
