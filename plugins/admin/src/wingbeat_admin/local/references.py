"""Who refers to what, in the file: written when something is registered. Statements within the transactions of `Store`."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.contracts.references import Referrer, ReferrerPage
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.identity import Identity, parse_identity
from wingbeat_admin.places import clause, is_within

SCHEMA = """
    CREATE TABLE refers (target TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (target, number)) WITHOUT ROWID;
    INSERT INTO meta VALUES ('references', 0)
    """
"""`refers`: the entity `number` refers to `target`. Those up to the number that `meta` has are in it: of a file from before, none
at first."""

_AT_ONCE = 100

Find = Callable[[Identity], Definition]
"""Gives what is registered. Raises NotFound."""


def index_all(db: sqlite3.Connection, find: Find) -> None:
    """Take up what was just registered."""
    while index(db, find):
        pass


def index(db: sqlite3.Connection, find: Find, limit: int = _AT_ONCE) -> bool:
    """Take up what was registered and is not in the index yet; says whether there may be more."""
    (value,) = db.execute("SELECT value FROM meta WHERE key = 'references'").fetchone()
    text = "CAST(closures.body AS TEXT)"  # most refer to nothing, and are not read any further
    query = (
        f"SELECT number, instr({text}, '\"borrowed\"') OR instr({text}, '\"references\"'), project, domain, name, version "
        "FROM entities JOIN closures ON closures.digest = closure WHERE number > ? ORDER BY number LIMIT ?"
    )
    rows = db.execute(query, (value, limit)).fetchall()
    for number, refers, *id in rows:
        if not refers:
            continue
        found = targets(find(Identity(*id)), find)
        db.executemany("INSERT OR IGNORE INTO refers VALUES (?, ?)", [(target, number) for target in sorted(found)])
    if rows:
        db.execute("UPDATE meta SET value = ? WHERE key = 'references'", (rows[-1][0],))
    return len(rows) == limit


def targets(definition: Definition, find: Find) -> set[str]:
    """Ids of what a definition refers to. What it borrows says of whom; of that registration it also reaches what is in it under
    the name and with the content that it has there: several may share a task."""
    entities = definition.closure.entities
    of = {code.of for code in definition.closure.borrowed.values()}
    of |= {id for each in entities.values() if isinstance(each, TaskSpec) for id in each.references}
    found = set(of)
    names = {each.name for each in entities.values()}
    for project, domain, version in {(id.project, id.domain, id.version) for id in map(parse_identity, of)}:
        for name in names:
            candidate = Identity(project, domain, name, version)
            with contextlib.suppress(NotFound):
                if str(candidate) not in found and _called(find(candidate)) in entities:
                    found.add(str(candidate))
    return found


def _called(definition: Definition) -> str:
    """The digest under which a definition is in the closures of those that refer to it."""
    if definition.plan is not None:
        return spec_digest(definition.plan)
    return definition.closure.workflow.calls[0] if definition.kind is Kind.TASK else definition.closure.root


def page(
    db: sqlite3.Connection, target: Identity, after: str, limit: int, within: tuple[str, ...] | None
) -> ReferrerPage:
    """Who refers to a version. Raises NotFound."""
    number = None if not after else _number(db, after, within)
    condition, inside = clause(within)
    join = "FROM refers JOIN entities USING (number) WHERE target = ?"
    (every,) = db.execute(f"SELECT count(*) {join}", (str(target),)).fetchone()
    (seen,) = db.execute(f"SELECT count(*) {join} AND {condition}", (str(target), *inside)).fetchone()
    limit = max(1, min(limit, PAGE_MAX))
    columns = (
        "project, domain, name, version, kind, json_extract(CAST(body AS TEXT), '$.created_at'), "
        "EXISTS (SELECT 1 FROM active WHERE (active.project, active.domain, active.name, active.version) = "
        "(entities.project, entities.domain, entities.name, entities.version))"
    )
    behind = "" if number is None else "AND number < ?"
    query = f"SELECT {columns} {join} AND {condition} {behind} ORDER BY number DESC LIMIT ?"
    values = (str(target), *inside, *(() if number is None else (number,)), limit + 1)
    rows = db.execute(query, values).fetchall()
    items = [Referrer(str(Identity(*row[:4])), Kind(row[4]), row[5], bool(row[6])) for row in rows[:limit]]
    return ReferrerPage(items, items[-1].id if len(rows) > limit else "", every - seen)


def _number(db: sqlite3.Connection, id: str, within: tuple[str, ...] | None) -> int:
    one = parse_identity(id)
    where = "project = ? AND domain = ? AND name = ? AND version = ?"
    row = db.execute(
        f"SELECT number FROM entities WHERE {where}", (one.project, one.domain, one.name, one.version)
    ).fetchone()
    if row is None or not is_within(within, one.project, one.domain):
        raise NotFound(f"{id} is not registered.")
    return int(row[0])
