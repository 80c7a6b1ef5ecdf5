"""The inventory: which versions are registered, and what is in them. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.base.ids import digest as digest_of
from wingbeat.contracts.admin import PAGE_MAX, Definition, Entity, EntityPage, EntityQuery, Kind, Registered
from wingbeat.spec.codec import canonical
from wingbeat.spec.diff import differences
from wingbeat.spec.entities import Closure, Interface, LaunchPlanSpec
from wingbeat.spec.identity import Identity, Name, parse_name, version_key
from wingbeat.spec.sorts import ENTITY_SORTS
from wingbeat_admin.places import clause, is_within

DIFFERENCES_MAX = 20
"""How many differences a refusal tells."""


SORTED = """
    ALTER TABLE entities ADD COLUMN by TEXT NOT NULL DEFAULT '';
    ALTER TABLE entities ADD COLUMN version_key TEXT NOT NULL DEFAULT '';
    UPDATE entities SET by = coalesce(json_extract(CAST(body AS TEXT), '$.by'), ''), version_key = version_key(version);
    CREATE INDEX entities_by_name ON entities (name, number);
    CREATE INDEX entities_by_version ON entities (version, number);
    CREATE INDEX entities_by_version_key ON entities (version_key, number);
    CREATE INDEX entities_by_by ON entities (by, number)
    """
"""`by`: as in `body`; `version_key`: see `wingbeat.spec.identity`."""
LAUNCHING = """
    ALTER TABLE entities ADD COLUMN launches TEXT NOT NULL DEFAULT '';
    UPDATE entities SET launches = coalesce((
        SELECT CASE WHEN json_valid(text) THEN json_extract(text, '$.entities."' || json_extract(text, '$.root') || '".name') END
        FROM (SELECT CAST(body AS TEXT) AS text FROM closures WHERE digest = entities.closure)), '') WHERE kind = 'launchplan'
    """
"""`launches`: of a launch plan, the name of its workflow."""
_SORTED_BY = {"created_at": "number", "name": "entities.name", "version": "version_key"}


class _Body(Struct, frozen=True, omit_defaults=True):
    """What the file holds of an entity besides its closure."""

    interface: Interface
    created_at: float
    by: str = ""
    doc: str = ""
    plan: LaunchPlanSpec | None = None


_body = msgspec.json.Decoder(_Body)
_closure = msgspec.json.Decoder(Closure)
_ENTITY = (
    "entities.number, entities.project, entities.domain, entities.name, entities.version, kind, digest, body, active.version, "
    "active.paused, active.next"
)
_ENTITIES = f"""
    SELECT {_ENTITY} FROM entities LEFT JOIN active USING (project, domain, name)
"""


def register(
    db: sqlite3.Connection, ids: Sequence[Identity], definitions: Sequence[Definition], at: float, by: str
) -> list[Registered]:
    """All or none. Raises ConflictError."""
    given = list(zip(ids, definitions, strict=True))
    there = [_found(db, id) for id in ids]
    others = [each for each, row in zip(given, there, strict=True) if row and row[6] != each[1].digest]
    if others:
        raise _conflict(db, others)
    return [_register(db, id, definition, at, by) for id, definition in given]


def _register(db: sqlite3.Connection, id: Identity, definition: Definition, at: float, by: str) -> Registered:
    digest = definition.digest
    if is_registered(db, id):
        return Registered(str(id), definition.kind, created=False)
    closure = canonical(definition.closure)
    name = digest_of(closure)
    db.execute("INSERT OR IGNORE INTO closures VALUES (?, ?)", (name, closure))
    doc = definition.plan.doc if definition.plan is not None else definition.closure.workflow.doc
    body = msgspec.json.encode(_Body(definition.interface, at, by, doc, definition.plan))
    db.execute(
        "INSERT INTO entities (project, domain, name, version, kind, digest, closure, body, by, version_key, launches) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id.project, id.domain, id.name, id.version, definition.kind, digest, name, body, by, version_key(id.version),
            "" if definition.plan is None else definition.closure.workflow.name,
        ),
    )  # fmt: skip
    return Registered(str(id), definition.kind, created=True)


def _conflict(db: sqlite3.Connection, others: Sequence[tuple[Identity, Definition]]) -> ConflictError:
    """The error for those that have another content: it tells of the one that says most, as of all the bundle has changed."""
    every = [(id, _differences(db, id, definition)) for id, definition in others]
    id, found = max(every, key=lambda each: len(each[1]))
    more = len(found) - DIFFERENCES_MAX
    told = "\n".join(f"    {line}" for line in found[:DIFFERENCES_MAX]) + (f"\n    and {more} more" if more > 0 else "")
    return ConflictError(
        f"{id} is registered already, with another content:\n{told}",
        hint="A version never changes: register under another one.",
    )


def _differences(db: sqlite3.Connection, id: Identity, definition_: Definition) -> list[str]:
    there = definition(db, id)
    compared = differences(there.closure, definition_.closure, old_plan=there.plan, new_plan=definition_.plan)
    found = [str(difference) for difference in compared]
    if there.kind is not definition_.kind:
        found.insert(0, f"it is a {there.kind.label}, not a {definition_.kind.label}")
    return found


def entity(db: sqlite3.Connection, name: Name, version: str) -> Entity:
    """One version; without it, the active or else the newest one. Raises NotFound."""
    return _entity(_row(db, name, version))


def definition(db: sqlite3.Connection, id: Identity) -> Definition:
    """What was registered. Raises NotFound."""
    row = _row(db, id.entity, id.version)
    query = "SELECT closures.body FROM entities JOIN closures ON closures.digest = closure WHERE number = ?"
    (closure,) = db.execute(query, (row[0],)).fetchone()
    return Definition(Kind(row[5]), row[3], _closure.decode(closure), _body.decode(row[7]).plan)


def is_registered(db: sqlite3.Connection, id: Identity) -> bool:
    """Whether there is this version."""
    return _found(db, id) is not None


def plan(db: sqlite3.Connection, id: Identity) -> LaunchPlanSpec | None:
    """What a launch plan says; None of what is none, or is not there."""
    row = _found(db, id)
    return None if row is None else _body.decode(row[7]).plan


def launches(db: sqlite3.Connection, id: Identity) -> str:
    """The name of the workflow of a launch plan; empty of what is none, or is not there."""
    where = "project = ? AND domain = ? AND name = ? AND version = ?"
    row = db.execute(
        f"SELECT launches FROM entities WHERE {where}", (id.project, id.domain, id.name, id.version)
    ).fetchone()
    return "" if row is None else str(row[0])


def launched_by(db: sqlite3.Connection, id: Identity) -> Name | None:
    """The workflow, or the task, that a launch plan launches, if that is registered beside it, in whatever version."""
    name = launches(db, id)
    if not name:
        return None
    where = "project = ? AND domain = ? AND name = ? AND kind != ?"
    values = (id.project, id.domain, name, Kind.LAUNCHPLAN)
    found = db.execute(f"SELECT 1 FROM entities WHERE {where} LIMIT 1", values).fetchone()
    return None if found is None else Name(id.project, id.domain, name)


def is_plan(db: sqlite3.Connection, name: Name) -> bool:
    """Whether a launch plan has this name."""
    where = "project = ? AND domain = ? AND name = ? AND kind = ?"
    values = (name.project, name.domain, name.name, Kind.LAUNCHPLAN)
    return db.execute(f"SELECT 1 FROM entities WHERE {where} LIMIT 1", values).fetchone() is not None


def active_plans(db: sqlite3.Connection, workflow: Name, limit: int) -> list[Identity]:
    """Versions of launch plans of a workflow, registered beside it, that are the active ones."""
    query = (
        "SELECT name, version FROM active JOIN entities USING (project, domain, name, version) "
        "WHERE project = ? AND domain = ? AND launches = ? ORDER BY name LIMIT ?"
    )
    rows = db.execute(query, (workflow.project, workflow.domain, workflow.name, limit)).fetchall()
    return [Identity(workflow.project, workflow.domain, name, version) for name, version in rows]


def _row(db: sqlite3.Connection, name: Name, version: str) -> tuple[Any, ...]:
    row = _found(db, name.at(version)) if version else _newest(db, name)
    if row is None:
        if version and (versions := _versions(db, name)):
            raise NotFound(f"{name} has no version {version!r}.", hint=f"Its versions are {', '.join(versions)}.")
        raise unregistered(name)
    return row


def _found(db: sqlite3.Connection, id: Identity) -> tuple[Any, ...] | None:
    where = "project = ? AND domain = ? AND name = ? AND entities.version = ?"
    found: tuple[Any, ...] | None = db.execute(
        f"{_ENTITIES} WHERE {where}", (id.project, id.domain, id.name, id.version)
    ).fetchone()
    return found


def _newest(db: sqlite3.Connection, name: Name) -> tuple[Any, ...] | None:
    where = (
        "project = ? AND domain = ? AND name = ? ORDER BY entities.version IS active.version DESC, number DESC LIMIT 1"
    )
    found: tuple[Any, ...] | None = db.execute(
        f"{_ENTITIES} WHERE {where}", (name.project, name.domain, name.name)
    ).fetchone()
    return found


def _versions(db: sqlite3.Connection, name: Name) -> list[str]:
    query = "SELECT version FROM entities WHERE project = ? AND domain = ? AND name = ? ORDER BY number DESC LIMIT 10"
    return [version for (version,) in db.execute(query, (name.project, name.domain, name.name))]


def page(db: sqlite3.Connection, query: EntityQuery) -> EntityPage:
    """A page. Raises NotFound for an `after` that is not there, InputError for a sort that there is not."""
    sort = ENTITY_SORTS.parse(query.sort)
    key = _SORTED_BY[sort.key]
    way, than = ("DESC", "<") if sort.descending else ("ASC", ">")
    condition, inside = clause(query.within)
    where, values = [condition], list[object](inside)
    for column in ("kind", "project", "domain", "name", "version", "by"):
        if value := getattr(query, column):
            where.append(f"entities.{column} = ?")
            values.append(value)
    if query.scheduled:
        where += ["active.version = entities.version", "json_extract(CAST(body AS TEXT), '$.plan.trigger.on') = 'time'"]
    if query.after:
        text, _, version = query.after.partition("@")
        name = parse_name(text)
        if not is_within(query.within, name.project, name.domain):
            raise unregistered(name)
        (number,) = _row(db, name, version)[:1]
        where.append(f"({key}, number) {than} ((SELECT {key} FROM entities WHERE number = ?), ?)")
        values += [number, number]
    limit = max(1, min(query.limit, PAGE_MAX))
    rows = db.execute(
        f"{_ENTITIES} WHERE {' AND '.join(where)} ORDER BY {key} {way}, number {way} LIMIT ?", (*values, limit + 1)
    ).fetchall()
    items = [_entity(row) for row in rows[:limit]]
    return EntityPage(items, items[-1].id if len(rows) > limit else "")


def unregistered(name: Name) -> NotFound:
    """What is said of a name that nothing has."""
    return NotFound(f"Nothing is registered as {name}.", hint="See 'wingbeat get workflows|tasks|launchplans'.")


def _entity(row: Sequence[Any]) -> Entity:
    _, project, domain, name, version, kind, digest, body, active, paused, next_ = row
    found = _body.decode(body)
    plan = found.plan
    return Entity(
        str(Identity(project, domain, name, version)), Kind(kind), digest, found.interface, found.created_at, found.by, found.doc,
        active == version, {} if plan is None else plan.fixed, None if plan is None else plan.trigger,
        paused if active == version else "", next_ if active == version and not paused else None,
        {} if plan is None else plan.newest,
    )  # fmt: skip
