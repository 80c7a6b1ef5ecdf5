"""Artifacts in the file: what is still to be published, what there is, who took it. Statements within the transactions of
`Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.contracts.artifacts import TIES_MAX, ArtifactEntry, ArtifactPage, ArtifactQuery, Lineage, Tie
from wingbeat.spec.identity import Identity, Name, parse_reference
from wingbeat.types import LiteralType
from wingbeat_admin.places import clause, is_within

SCHEMA = """
    CREATE TABLE publishing (execution TEXT PRIMARY KEY, entity TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE artifacts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, execution TEXT NOT NULL,
        output TEXT NOT NULL, entity TEXT NOT NULL, type BLOB NOT NULL, partitions TEXT NOT NULL, created_at REAL NOT NULL,
        UNIQUE (project, domain, name, execution)
    );
    CREATE INDEX artifacts_by_domain ON artifacts (project, domain, number);
    CREATE INDEX artifacts_by_name ON artifacts (project, domain, name, number);
    CREATE INDEX artifacts_by_execution ON artifacts (execution);
    CREATE TABLE uses (
        execution TEXT NOT NULL, input TEXT NOT NULL, artifact TEXT NOT NULL, PRIMARY KEY (execution, input)
    ) WITHOUT ROWID;
    CREATE INDEX uses_by_artifact ON uses (artifact);
    CREATE INDEX executions_by_cause ON executions (cause) WHERE cause != '';
    """
"""`publishing` holds executions that have succeeded and whose artifacts are still to be made; `uses` is of the history."""

CHILDREN = """
    CREATE TABLE children (execution TEXT PRIMARY KEY, parent TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX children_by_parent ON children (parent, execution)
    """
"""Executions that others have launched, of the history; not those that were there before the table was."""

DIGESTS = "ALTER TABLE artifacts ADD COLUMN digest TEXT NOT NULL DEFAULT ''"

_COLUMNS = "project, domain, name, execution, output, entity, type, partitions, created_at, digest"
_type: msgspec.json.Decoder[LiteralType] = msgspec.json.Decoder(LiteralType)
_keys = msgspec.json.Decoder(dict[str, str])


class Publishing(Struct, frozen=True):
    """An execution of something that publishes, and when it ended."""

    execution: str
    entity: str
    at: float


def add_publishing(db: sqlite3.Connection, execution: str, entity: str, at: float) -> int:
    """It has succeeded; 0 if that was known, or published already."""
    where = "WHERE NOT EXISTS (SELECT 1 FROM artifacts WHERE execution = ?)"
    query = f"INSERT OR IGNORE INTO publishing SELECT ?, ?, ? {where}"
    return db.execute(query, (execution, entity, at, execution)).rowcount


def publishing(db: sqlite3.Connection, limit: int) -> list[Publishing]:
    """The oldest ones."""
    rows = db.execute("SELECT execution, entity, at FROM publishing ORDER BY at, execution LIMIT ?", (limit,))
    return [Publishing(*row) for row in rows]


def published(db: sqlite3.Connection, execution: str) -> None:
    """Nothing of it is to be published any more."""
    db.execute("DELETE FROM publishing WHERE execution = ?", (execution,))


def add(db: sqlite3.Connection, name: Name, entry: ArtifactEntry) -> int:
    """A version; 0 if it is there."""
    values = (
        name.project, name.domain, name.name, entry.execution, entry.output, entry.entity, msgspec.json.encode(entry.type),
        msgspec.json.encode(entry.partitions, order="sorted").decode(), entry.created_at, entry.digest,
    )  # fmt: skip
    marks = ", ".join("?" * len(values))
    return db.execute(f"INSERT OR IGNORE INTO artifacts ({_COLUMNS}) VALUES ({marks})", values).rowcount


def is_changed(db: sqlite3.Connection, name: Name, entry: ArtifactEntry) -> bool:
    """Whether a version that is there differs from the one before with the same keys, as far as that is known."""
    where = "project = ? AND domain = ? AND name = ? AND partitions = ?"
    values = (name.project, name.domain, name.name, msgspec.json.encode(entry.partitions, order="sorted").decode())
    before = f"number < (SELECT number FROM artifacts WHERE {where} AND execution = ?) ORDER BY number DESC LIMIT 1"
    row = db.execute(
        f"SELECT digest FROM artifacts WHERE {where} AND {before}", (*values, *values, entry.execution)
    ).fetchone()
    return row is None or not entry.digest or row[0] != entry.digest


def add_uses(db: sqlite3.Connection, execution: str, uses: Iterable[tuple[str, str]]) -> None:
    """The inputs of an execution that took artifacts."""
    rows = [(execution, input, artifact) for input, artifact in uses]
    db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?, ?)", rows)


def add_parent(db: sqlite3.Connection, execution: str, parent: str) -> None:
    """The execution that has launched another one."""
    db.execute("INSERT OR IGNORE INTO children VALUES (?, ?)", (execution, parent))


def page(db: sqlite3.Connection, query: ArtifactQuery) -> ArtifactPage:
    """A page. Raises NotFound for an `after` that is not there."""
    where, values = _selected(query.project, query.domain, query.name, query.partitions)
    condition, inside = clause(query.within)
    where.append(condition)
    values += inside
    if query.after:
        row = _row(db, query.after, query.within)
        where.append("number < ?")
        values.append(row[0])
    limit = max(1, min(query.limit, PAGE_MAX))
    rows = db.execute(
        f"SELECT number, {_COLUMNS} FROM artifacts WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    items = [_entry(row) for row in rows[:limit]]
    return ArtifactPage(items, items[-1].id if len(rows) > limit else "")


def one(db: sqlite3.Connection, reference: str, partitions: dict[str, str]) -> ArtifactEntry:
    """A version, or the newest. Raises NotFound."""
    name, version = parse_reference(reference)
    if version:
        return _entry(_row(db, reference))
    where, values = _selected(name.project, name.domain, name.name, partitions)
    row = db.execute(
        f"SELECT number, {_COLUMNS} FROM artifacts WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT 1", values
    ).fetchone()
    if row is None:
        told = ", ".join(f"{key}={value}" for key, value in partitions.items())
        raise NotFound(
            f"There is no artifact {name}" + (f" with {told}." if told else "."),
            hint="'wingbeat get artifacts' lists them.",
        )
    return _entry(row)


def _selected(project: str, domain: str, name: str, partitions: dict[str, str]) -> tuple[list[str], list[Any]]:
    where, values = ["1"], list[Any]()
    for column, value in (("project", project), ("domain", domain), ("name", name)):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    for key, value in partitions.items():
        where.append("EXISTS (SELECT 1 FROM json_each(partitions) AS each WHERE each.key = ? AND each.value = ?)")
        values += [key, value]
    return where, values


def _row(db: sqlite3.Connection, id: str, within: Iterable[str] | None = None) -> tuple[Any, ...]:
    name, version = parse_reference(id)
    if not is_within(within, name.project, name.domain):
        raise NotFound(f"There is no artifact {id}.")
    where = "project = ? AND domain = ? AND name = ? AND execution = ?"
    row: tuple[Any, ...] | None = db.execute(
        f"SELECT number, {_COLUMNS} FROM artifacts WHERE {where}", (name.project, name.domain, name.name, version)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no artifact {id}.", hint="'wingbeat get artifacts' lists them.")
    return row


def _entry(row: Sequence[Any]) -> ArtifactEntry:
    _, project, domain, name, execution, output, entity, type_, partitions, created_at, digest = row
    id = str(Identity(project, domain, name, execution))
    keys = _keys.decode(partitions)
    return ArtifactEntry(id, execution, output, entity, _type.decode(type_), created_at, keys, digest)


# -- lineage


class _Way(Struct, frozen=True):
    """What was found one way: ties, whether those are all, and how many more things were met that are of other places."""

    ties: list[Tie]
    whole: bool
    elsewhere: int


def lineage(db: sqlite3.Connection, id: str, within: tuple[str, ...] | None = None) -> Lineage:
    """Both ways, the nearest first, as far as it is within these places. Raises NotFound."""
    start = one(db, id, {}).id if "/" in id else id
    place = _place(db, start)
    if place is None or not is_within(within, *place):
        what = "artifact" if "/" in id else "execution"
        raise NotFound(f"There is no {what} {id!r} in the history.", hint="An artifact is named PROJECT/DOMAIN/NAME.")
    before = _walk(db, start, _sources, lambda tie: tie.source, within)
    after = _walk(db, start, _effects, lambda tie: tie.target, within)
    return Lineage(start, before.ties, after.ties, before.whole and after.whole, before.elsewhere, after.elsewhere)


def _place(db: sqlite3.Connection, id: str) -> tuple[str, str] | None:
    """Project and domain; None of an execution that is not known."""
    if "/" in id:
        name, _ = parse_reference(id)
        return name.project, name.domain
    row = db.execute("SELECT project, domain FROM executions WHERE id = ?", (id,)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def _walk(
    db: sqlite3.Connection,
    start: str,
    ties: Callable[[sqlite3.Connection, str], list[Tie]],
    end: Callable[[Tie], str],
    within: tuple[str, ...] | None,
) -> _Way:
    """Goes on from what is within these places only: what lies behind others is not even counted."""
    found: dict[Tie, None] = {}
    elsewhere: set[str] = set()
    seen, todo = {start}, [start]
    for each in todo:  # which grows
        for tie in ties(db, each):
            there = end(tie)
            place = _place(db, there)
            if place is None:
                continue
            if not is_within(within, *place):
                elsewhere.add(there)
                continue
            if len(found) == TIES_MAX and tie not in found:
                return _Way(list(found), whole=False, elsewhere=len(elsewhere))
            found[tie] = None
            if there not in seen:
                seen.add(there)
                todo.append(there)
    return _Way(list(found), whole=True, elsewhere=len(elsewhere))


def _sources(db: sqlite3.Connection, id: str) -> list[Tie]:
    if "/" in id:
        found = [Tie(id.rpartition("@")[2], "published", id)]
    else:
        taken = db.execute("SELECT DISTINCT artifact FROM uses WHERE execution = ? ORDER BY artifact", (id,)).fetchall()
        found = [Tie(artifact, "taken by", id) for (artifact,) in taken]
        query = (
            "SELECT other.id FROM executions AS one JOIN executions AS other ON other.id = one.cause WHERE one.id = ?"
        )
        found += [Tie(cause, "fired", id) for (cause,) in db.execute(query, (id,)).fetchall()]
        parents = db.execute("SELECT parent FROM children WHERE execution = ?", (id,)).fetchall()
        found += [Tie(parent, "launched", id) for (parent,) in parents]
    return found


def _effects(db: sqlite3.Connection, id: str) -> list[Tie]:
    limit = TIES_MAX + 1
    if "/" in id:
        query = "SELECT DISTINCT execution FROM uses WHERE artifact = ? ORDER BY execution LIMIT ?"
        found = [Tie(id, "taken by", execution) for (execution,) in db.execute(query, (id, limit)).fetchall()]
    else:
        rows = db.execute("SELECT project, domain, name FROM artifacts WHERE execution = ? ORDER BY number", (id,))
        found = [Tie(id, "published", str(Name(*row).at(id))) for row in rows.fetchall()]
        fired = db.execute("SELECT id FROM executions WHERE cause = ? ORDER BY number LIMIT ?", (id, limit))
        found += [Tie(id, "fired", execution) for (execution,) in fired.fetchall()]
        query = "SELECT execution FROM children WHERE parent = ? ORDER BY execution LIMIT ?"
        found += [Tie(id, "launched", execution) for (execution,) in db.execute(query, (id, limit)).fetchall()]
    return found
