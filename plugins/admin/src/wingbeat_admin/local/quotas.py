"""Settings of places in the admin's file, and what is counted by them: statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from wingbeat.base.errors import InputError, LimitReached, NoRoom, NotFound
from wingbeat.contracts.access import EVERY
from wingbeat.contracts.places import MINUTE_S, PlaceSettings, Said, Setting
from wingbeat.spec.identity import check_place
from wingbeat.spec.labels import check_labels
from wingbeat_admin.places import clause

# `settings` holds what was said of places, `launches` those of the last minute where launches are counted.
SCHEMA = """
    CREATE TABLE settings (
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE TABLE launches (
        execution TEXT PRIMARY KEY, project TEXT NOT NULL, domain TEXT NOT NULL, at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX launches_by_place ON launches (project, domain, at);
    CREATE INDEX launches_by_at ON launches (at)
"""
SETTINGS_MAX = 10_000
LABELS_MAX = 50
LABEL_LENGTH_MAX = 255

_RANK = "ORDER BY (project = '*') * 2 + (domain = '*')"
"""The most specific place first."""


def check(setting: Setting) -> None:
    """Raises InputError for what no place can have."""
    project, domain = setting.project, setting.domain
    check_place("a" if project == EVERY else project, "a" if domain == EVERY else domain)
    if setting.name not in PlaceSettings.__struct_fields__:
        names = ", ".join(PlaceSettings.__struct_fields__)
        raise InputError(f"There is no setting {setting.name[:80]!r} of places.", hint=f"There are {names}.")
    try:
        found = msgspec.convert({setting.name: setting.value}, PlaceSettings)
    except msgspec.ValidationError as error:
        raise InputError(f"The setting {setting.name} does not take {str(setting.value)[:80]!r}: {error}") from None
    if getattr(found, setting.name) is None:
        raise InputError(
            f"The setting {setting.name} has to have a value.", hint="'wingbeat delete setting' takes it away."
        )
    check_labels(found.labels or {})
    for name, value in (found.labels or {}).items():
        if len(name) > LABEL_LENGTH_MAX or len(value) > LABEL_LENGTH_MAX or not f"{name}{value}".isprintable():
            raise InputError(
                f"The label {name[:80]!r} is longer than {LABEL_LENGTH_MAX} characters, or cannot be printed."
            )
    if len(found.labels or {}) > LABELS_MAX:
        raise InputError(f"There are more than {LABELS_MAX} labels.")


def put(db: sqlite3.Connection, setting: Setting) -> bool:
    """Say it of a place; says whether something has changed. Raises NoRoom."""
    (count,) = db.execute("SELECT count(*) FROM settings").fetchone()
    if count >= SETTINGS_MAX:
        raise NoRoom(f"There are {SETTINGS_MAX} settings already.", hint="Say them of '*'.")
    value = msgspec.json.encode(setting.value, order="deterministic")
    return (
        db.execute(
            "INSERT INTO settings (project, domain, name, value) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET value = excluded.value WHERE value != excluded.value",
            (setting.project, setting.domain, setting.name, value),
        ).rowcount
        > 0
    )


def remove(db: sqlite3.Connection, name: str, project: str, domain: str) -> None:
    """Say nothing of it any more. Raises NotFound."""
    where = "project = ? AND domain = ? AND name = ?"
    if not db.execute(f"DELETE FROM settings WHERE {where}", (project, domain, name)).rowcount:
        raise NotFound(
            f"There is no setting {name[:80]!r} of {project[:80]}/{domain[:80]} itself.",
            hint="'wingbeat get settings' lists them.",
        )


def every(db: sqlite3.Connection, within: Iterable[str] | None) -> list[Setting]:
    """All of some places, by place and name."""
    condition, values = clause(within)
    query = f"SELECT name, value, project, domain FROM settings WHERE {condition} ORDER BY project, domain, name"
    return [Setting(name, msgspec.json.decode(value), *place) for name, value, *place in db.execute(query, values)]


def said(db: sqlite3.Connection, project: str, domain: str) -> dict[str, list[Said]]:
    """What is said of a project and a domain, by name; what holds is first."""
    query = (
        f"SELECT name, value, project, domain FROM settings WHERE project IN (?, '*') AND domain IN (?, '*') {_RANK}"
    )
    found: dict[str, list[Said]] = {}
    for name, value, *place in db.execute(query, (project, domain)):
        found.setdefault(name, []).append(Said(msgspec.json.decode(value), "/".join(place)))
    return found


def executions_of(db: sqlite3.Connection, places: Iterable[str]) -> dict[str, int | None]:
    """How many executions may be under way in these places, as ``project/domain``; None where nobody says it."""
    found = {}
    for place in places:
        says = said(db, *place.split("/")).get("executions")
        found[place] = says[0].value if says else None
    return found


def count_launch(db: sqlite3.Connection, limit: Said, place: tuple[str, str], id: str, now: float) -> None:
    """A launch takes place now, where launches are counted. The same again counts once.

    Raises:
        LimitReached: There were as many within the last minute as may be.
    """
    db.execute("DELETE FROM launches WHERE at <= ? OR at > ?", (now - MINUTE_S, now))  # a clock may have been set back
    if db.execute("SELECT 1 FROM launches WHERE execution = ?", (id,)).fetchone():
        return
    query = "SELECT at FROM launches WHERE project = ? AND domain = ? ORDER BY at DESC LIMIT 1 OFFSET ?"
    full = db.execute(query, (*place, limit.value - 1)).fetchone()
    if full is not None:
        told = f"{limit.value} executions were launched in {'/'.join(place)} within a minute"
        raise LimitReached(
            f"Nothing was launched: {told}, which is its quota (said of {limit.source}).",
            hint="Launch it when there is room; a schedule or another trigger waits for that by itself.",
            retry_after_s=full[0] + MINUTE_S - now,
        )
    db.execute("INSERT INTO launches (execution, project, domain, at) VALUES (?, ?, ?, ?)", (id, *place, now))


def check_versions(db: sqlite3.Connection, project: str, domain: str, new: int) -> None:
    """So many new versions were just registered. Raises NoRoom if these are too many."""
    found = said(db, project, domain)
    if not new or "versions" not in found:
        return
    limit = found["versions"][0]
    (count,) = db.execute(
        "SELECT count(*) FROM entities WHERE project = ? AND domain = ?", (project, domain)
    ).fetchone()
    if count > limit.value:
        raise NoRoom(
            f"Nothing was registered: with {new} new versions there would be {count} in {project}/{domain}, whose quota is "
            f"{limit.value} (said of {limit.source}).",
            hint="An admin of that place can change it: 'wingbeat create setting versions NUMBER'.",
        )
