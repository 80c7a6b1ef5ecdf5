"""Where there is anything: found by leaps from one place to the next. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.contracts.projects import ProjectEntry, ProjectPage, ProjectQuery
from wingbeat_admin.places import is_within

Place = tuple[str, str]
_NEXT = "SELECT project, domain FROM {} WHERE (project, domain) > (?, ?) ORDER BY project, domain LIMIT 1"
_IS = "project = ? AND domain = ?"


def page(db: sqlite3.Connection, query: ProjectQuery) -> ProjectPage:
    """A page."""
    limit = max(1, min(query.limit, PAGE_MAX))
    project, _, domain = query.after.partition("/")
    found: list[ProjectEntry] = []
    for place in _places(db, (project, domain)):
        wanted = query.project in ("", place[0]) and query.domain in ("", place[1])
        if not wanted or not is_within(query.within, *place):
            continue
        if len(found) == limit:
            return ProjectPage(found, found[-1].id)
        found.append(_entry(db, place))
    return ProjectPage(found)


def _places(db: sqlite3.Connection, place: Place) -> Iterator[Place]:
    """Those behind one, by their names. What is registered has both; executions without a project are nowhere."""
    while True:
        rows = [db.execute(_NEXT.format(table), place).fetchone() for table in ("entities", "executions")]
        behind = [row for row in rows if row is not None]
        if not behind:
            return
        place = min(behind)
        if all(place):
            yield place


def _entry(db: sqlite3.Connection, place: Place) -> ProjectEntry:
    (versions,) = db.execute(f"SELECT count(*) FROM entities WHERE {_IS}", place).fetchone()
    (active,) = db.execute(f"SELECT count(*) FROM active WHERE {_IS}", place).fetchone()
    registered = f"SELECT json_extract(CAST(body AS TEXT), '$.created_at') FROM entities WHERE {_IS}"
    launched = f"SELECT created_at FROM executions WHERE {_IS}"
    last = (db.execute(f"{each} ORDER BY number DESC LIMIT 1", place).fetchone() for each in (registered, launched))
    return ProjectEntry("/".join(place), *place, versions, active, *(None if row is None else row[0] for row in last))
