"""What is in the file: statements and transactions, without waiting. Everything is called in one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.contracts.admin import (
    CAUSE_LABEL,
    ENTITY_LABEL,
    PAGE_MAX,
    Definition,
    Entity,
    EntityPage,
    EntityQuery,
    ExecutionEntry,
    ExecutionPage,
    ExecutionQuery,
    Kind,
    Registered,
)
from wingbeat.contracts.engine import Change, Summary
from wingbeat.spec.codec import canonical
from wingbeat.spec.diff import differences
from wingbeat.spec.entities import Closure, Interface, LaunchPlanSpec
from wingbeat.spec.identity import Identity, Name, parse_identity, parse_name
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import OnEndSpec, ScheduleSpec
from wingbeat_admin.local import due
from wingbeat_admin.local.due import Due
from wingbeat_admin.local.ticks import decided
from wingbeat_admin.places import clause, is_within

DIFFERENCES_MAX = 20
"""How many differences a refusal tells."""


class _Body(Struct, frozen=True, omit_defaults=True):
    """What the file holds of an entity besides its closure."""

    interface: Interface
    created_at: float
    by: str = ""
    doc: str = ""
    plan: LaunchPlanSpec | None = None


_PLACE = ("project", "domain")

_body = msgspec.json.Decoder(_Body)
_closure = msgspec.json.Decoder(Closure)
_labels = msgspec.json.Decoder(dict[str, str])
_ENTITY = (
    "entities.number, entities.project, entities.domain, entities.name, entities.version, kind, digest, body, active.version, "
    "active.paused, active.next"
)
_ENTITIES = f"""
    SELECT {_ENTITY} FROM entities LEFT JOIN active USING (project, domain, name)
"""


class Store:
    """The tables of an admin, in an open file."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._within = False

    @property
    def db(self) -> sqlite3.Connection:
        """The file: for modules with statements of their own, within `transaction`."""
        return self._db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Within another one it is a part of that."""
        if self._within:
            yield self._db
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._within = True
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.rollback()
            raise
        finally:
            self._within = False

    # -- the inventory

    def register(
        self, ids: Sequence[Identity], definitions: Sequence[Definition], at: float, by: str
    ) -> list[Registered]:
        """All or none. Raises ConflictError."""
        given = list(zip(ids, definitions, strict=True))
        with self.transaction():
            there = [self._found(id) for id in ids]
            others = [each for each, row in zip(given, there, strict=True) if row and row[6] != each[1].digest]
            if others:
                raise self._conflict(others)
            return [self._register(id, definition, at, by) for id, definition in given]

    def _register(self, id: Identity, definition: Definition, at: float, by: str) -> Registered:
        digest = definition.digest
        if self._found(id) is not None:
            return Registered(str(id), definition.kind, created=False)
        closure = canonical(definition.closure)
        name = msgspec.json.encode([definition.closure.root, definition.closure.bundle, definition.closure.environment])
        self._db.execute("INSERT OR IGNORE INTO closures VALUES (?, ?)", (name.decode(), closure))
        doc = definition.plan.doc if definition.plan is not None else definition.closure.workflow.doc
        body = msgspec.json.encode(_Body(definition.interface, at, by, doc, definition.plan))
        self._db.execute(
            "INSERT INTO entities (project, domain, name, version, kind, digest, closure, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id.project, id.domain, id.name, id.version, definition.kind, digest, name.decode(), body),
        )
        return Registered(str(id), definition.kind, created=True)

    def _conflict(self, others: Sequence[tuple[Identity, Definition]]) -> ConflictError:
        """The error for those that have another content: it tells of the one that says most, as of all the bundle has changed."""
        every = [(id, self._differences(id, definition)) for id, definition in others]
        id, found = max(every, key=lambda each: len(each[1]))
        more = len(found) - DIFFERENCES_MAX
        told = "\n".join(f"    {line}" for line in found[:DIFFERENCES_MAX]) + (
            f"\n    and {more} more" if more > 0 else ""
        )
        return ConflictError(
            f"{id} is registered already, with another content:\n{told}",
            hint="A version never changes: register under another one.",
        )

    def _differences(self, id: Identity, definition: Definition) -> list[str]:
        there = self.definition(id)
        found = [str(difference) for difference in differences(there.closure, definition.closure)]
        if there.kind is not definition.kind:
            found.insert(0, f"it is a {there.kind.label}, not a {definition.kind.label}")
        if _own(there) != _own(definition):
            found.append("the launch plan: changed")
        return found

    def entity(self, name: Name, version: str) -> Entity:
        """One version; without it, the active or else the newest one. Raises NotFound."""
        return _entity(self._row(name, version))

    def definition(self, id: Identity) -> Definition:
        """What was registered. Raises NotFound."""
        row = self._row(id.entity, id.version)
        query = "SELECT closures.body FROM entities JOIN closures ON closures.digest = closure WHERE number = ?"
        (closure,) = self._db.execute(query, (row[0],)).fetchone()
        return Definition(Kind(row[5]), row[3], _closure.decode(closure), _body.decode(row[7]).plan)

    def _row(self, name: Name, version: str) -> tuple[Any, ...]:
        row = self._found(name.at(version)) if version else self._newest(name)
        if row is None:
            if version and (versions := self._versions(name)):
                raise NotFound(f"{name} has no version {version!r}.", hint=f"Its versions are {', '.join(versions)}.")
            raise unregistered(name)
        return row

    def _found(self, id: Identity) -> tuple[Any, ...] | None:
        where = "project = ? AND domain = ? AND name = ? AND entities.version = ?"
        found: tuple[Any, ...] | None = self._db.execute(
            f"{_ENTITIES} WHERE {where}", (id.project, id.domain, id.name, id.version)
        ).fetchone()
        return found

    def _newest(self, name: Name) -> tuple[Any, ...] | None:
        where = "project = ? AND domain = ? AND name = ? ORDER BY entities.version IS active.version DESC, number DESC LIMIT 1"
        found: tuple[Any, ...] | None = self._db.execute(
            f"{_ENTITIES} WHERE {where}", (name.project, name.domain, name.name)
        ).fetchone()
        return found

    def _versions(self, name: Name) -> list[str]:
        query = (
            "SELECT version FROM entities WHERE project = ? AND domain = ? AND name = ? ORDER BY number DESC LIMIT 10"
        )
        return [version for (version,) in self._db.execute(query, (name.project, name.domain, name.name))]

    def entities(self, query: EntityQuery) -> EntityPage:
        """A page. Raises NotFound for an `after` that is not there."""
        condition, inside = clause(query.within)
        where, values = [condition], list[object](inside)
        for column in ("kind", "project", "domain", "name"):
            if value := getattr(query, column):
                where.append(f"{column} = ?")
                values.append(value)
        if query.after:
            text, _, version = query.after.partition("@")
            name = parse_name(text)
            if not is_within(query.within, name.project, name.domain):
                raise unregistered(name)
            where.append("number < ?")
            values.append(self._row(name, version)[0])
        limit = max(1, min(query.limit, PAGE_MAX))
        rows = self._db.execute(
            f"{_ENTITIES} WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?", (*values, limit + 1)
        ).fetchall()
        items = [_entity(row) for row in rows[:limit]]
        return EntityPage(items, items[-1].id if len(rows) > limit else "")

    # -- launch plans

    def activate(self, id: Identity, watched: str, first: float | None, at: float) -> None:
        """Make a version the active one. Its trigger counts from `at` on, with the tick `first` if it is a schedule; as before, if
        it is active already."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO active VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT DO UPDATE SET "
                "since = CASE WHEN watched = excluded.watched THEN since ELSE excluded.since END, watched = excluded.watched, "
                "next = CASE WHEN version = excluded.version THEN next ELSE excluded.next END, version = excluded.version",
                (id.project, id.domain, id.name, id.version, at, watched, first),
            )

    def pause(self, name: Name, reason: str, next_: float | None) -> bool:
        """Pause with a reason, or (without) go on with the tick `next_`; False if it is not active."""
        set_ = "UPDATE active SET paused = ?, next = coalesce(?, next) WHERE project = ? AND domain = ? AND name = ?"
        return self._db.execute(set_, (reason, next_, name.project, name.domain, name.name)).rowcount > 0

    def deactivate(self, name: Name) -> None:
        """Have none be active."""
        with self.transaction():
            where = "project = ? AND domain = ? AND name = ?"
            self._db.execute(f"DELETE FROM active WHERE {where}", (name.project, name.domain, name.name))

    # -- the history, and what follows from it

    def cursor(self) -> int:
        """The last change that was taken note of."""
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = 'cursor'").fetchone()
        return int(value)

    def project(self, changes: Sequence[Change], at: float) -> int:
        """Take note of changes, and of what triggers decide for them, at once; says how many launches may be due."""
        found = 0
        with self.transaction():
            for change in changes:
                before = self._phase(change.execution.id)
                self._write(change.execution)
                if change.execution.phase.terminal and not (before or ExecutionPhase.RUNNING).terminal:
                    found += due.ended(self._db, change.execution.id)
                    found += self._fire(change.execution, at)
                    self._pause_failed(change.execution)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'cursor'", (changes[-1].number,))
        return found

    def _pause_failed(self, summary: Summary) -> None:
        """Pause the schedule that has launched it, if it says so."""
        entity, cause = summary.labels.get(ENTITY_LABEL, ""), summary.labels.get(CAUSE_LABEL, "")
        if not cause.startswith("tick ") or summary.phase not in (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT):
            return
        id = parse_identity(entity)
        if self._found(id) is None:
            return
        schedule = self._schedule(id)
        if schedule is not None and schedule.pause_on_failure:
            self.pause(id.entity, f"the execution {summary.id} has failed", None)

    def _phase(self, execution: str) -> ExecutionPhase | None:
        row = self._db.execute("SELECT phase FROM executions WHERE id = ?", (execution,)).fetchone()
        return None if row is None else ExecutionPhase(row[0])

    def _write(self, summary: Summary) -> None:
        labels = summary.labels
        entity, cause = labels.get(ENTITY_LABEL, ""), labels.get(CAUSE_LABEL, "")
        name = entity.partition("@")[0].rpartition("/")[2]
        shown = msgspec.json.encode(
            {key: value for key, value in labels.items() if not key.startswith("wingbeat/") and key not in _PLACE}
        )
        self._db.execute(
            "INSERT INTO executions (id, workflow, phase, created_at, ended_at, project, domain, name, entity, cause, labels) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, ended_at = excluded.ended_at",
            (
                summary.id, summary.workflow, summary.phase, summary.created_at, summary.ended_at, labels.get("project", ""),
                labels.get("domain", ""), name, entity, cause, shown,
            ),
        )  # fmt: skip

    def _fire(self, summary: Summary, at: float) -> int:
        """Decide which launch plans its end starts. A child execution is its parent's affair."""
        watched = summary.labels.get(ENTITY_LABEL, "").partition("@")[0]
        if not watched:
            return 0
        query = "SELECT project, domain, name, version, since FROM active WHERE watched = ?"
        count = 0
        for project, domain, name, version, since in self._db.execute(query, (watched,)).fetchall():
            id = Identity(project, domain, name, version)
            plan = _body.decode(self._row(id.entity, version)[7]).plan
            trigger = None if plan is None else plan.trigger
            if not isinstance(trigger, OnEndSpec) or summary.phase not in trigger.phases:
                continue
            if summary.ended_at is not None and summary.ended_at < since:
                continue
            count += due.add_fired(self._db, id, summary.id, at)
        return count

    def look(self, now: float) -> tuple[int, float | None]:
        """Decide about the ticks that have come; says how many launches are due, and when to look again."""
        decided_ = 0
        with self.transaction():
            where = "next <= ? AND paused = '' ORDER BY next LIMIT 1000"
            query = f"SELECT project, domain, name, version, next FROM active WHERE {where}"
            for project, domain, name, version, next_ in self._db.execute(query, (now,)).fetchall():
                id = Identity(project, domain, name, version)
                schedule = self._schedule(id)
                if schedule is None:
                    self._set_next(id.entity, None)
                    continue
                found = decided(schedule, next_, now)
                for tick in found.ticks:
                    decided_ += due.add_tick(self._db, id, schedule, tick)
                self._set_next(id.entity, found.next)
        (again,) = self._db.execute("SELECT min(next) FROM active WHERE paused = ''").fetchone()
        return decided_, again

    def _set_next(self, name: Name, next_: float | None) -> None:
        where = "project = ? AND domain = ? AND name = ?"
        self._db.execute(f"UPDATE active SET next = ? WHERE {where}", (next_, name.project, name.domain, name.name))

    def _schedule(self, id: Identity) -> ScheduleSpec | None:
        plan = _body.decode(self._row(id.entity, id.version)[7]).plan
        trigger = None if plan is None else plan.trigger
        return trigger if isinstance(trigger, ScheduleSpec) else None

    def ready(self, now: float, limit: int) -> list[Due]:
        """What is to be launched now."""
        return due.ready(self._db, now, limit)

    def earliest(self, now: float) -> float | None:
        """When the next launch is due that waits for its time."""
        return due.earliest(self._db, now)

    def others(self, one: Due) -> list[str]:
        """Executions of the same schedule that have not ended."""
        return due.others(self._db, one)

    def launched(self, execution: str) -> None:
        """It is in the engine's journal."""
        with self.transaction():
            due.launched(self._db, execution)

    def refused(self, execution: str, why: str) -> None:
        """It cannot be launched, now or later; that is kept."""
        due.refused(self._db, execution, why)

    def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """A page. Raises NotFound for an `after` that is not there."""
        condition, inside = clause(query.within)
        where, values = [condition], list[object](inside)
        for column in ("project", "domain", "phase"):
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
        if query.after:
            seen = f"SELECT number FROM executions WHERE id = ? AND {condition}"
            row = self._db.execute(seen, (query.after, *inside)).fetchone()
            if row is None:
                raise NotFound(f"There is no execution {query.after!r} in the history.")
            where.append("number < ?")
            values.append(row[0])
        limit = max(1, min(query.limit, PAGE_MAX))
        columns = "id, workflow, phase, created_at, ended_at, project, domain, entity, cause, labels"
        rows = self._db.execute(
            f"SELECT {columns} FROM executions WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
            (*values, limit + 1),
        ).fetchall()
        items = [_entry(row) for row in rows[:limit]]
        return ExecutionPage(items, items[-1].id if len(rows) > limit else "")


def unregistered(name: Name) -> NotFound:
    """What is said of a name that nothing has."""
    return NotFound(f"Nothing is registered as {name}.", hint="'wingbeat get workflows' lists what is.")


def _own(definition: Definition) -> LaunchPlanSpec | None:
    """What a launch plan says itself: its workflow is among what it runs."""
    return None if definition.plan is None else msgspec.structs.replace(definition.plan, workflow="")


def _entity(row: Sequence[Any]) -> Entity:
    _, project, domain, name, version, kind, digest, body, active, paused, next_ = row
    found = _body.decode(body)
    plan = found.plan
    return Entity(
        str(Identity(project, domain, name, version)), Kind(kind), digest, found.interface, found.created_at, found.by, found.doc,
        active == version, {} if plan is None else plan.fixed, None if plan is None else plan.trigger,
        paused if active == version else "", next_ if active == version and not paused else None,
    )  # fmt: skip


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
