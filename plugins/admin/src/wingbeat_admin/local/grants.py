"""Keys and grants: statements within the transactions of `Store`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConflictError, InputError, NoRoom, NotFound
from wingbeat.contracts.access import EVERY, KINDS, NAME_LENGTH_MAX, ApiKey, Grant, KeyLimits, Role
from wingbeat.spec.identity import check_place
from wingbeat_admin.local import keys

LIMITS = "ALTER TABLE apikeys ADD COLUMN limits BLOB NOT NULL DEFAULT '{}'"
"""A step of `schema`: how much of a server a key may have, JSON."""
KEYS_MAX = 1000
GRANTS_MAX = 10_000
_limits = msgspec.json.Decoder(KeyLimits)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")


class Holder(Struct, frozen=True):
    """Who has a key.

    Attributes:
        expires_at: Until when, in epoch seconds.
    """

    principal: str
    expires_at: float | None
    limits: KeyLimits


def check_key(name: str, grants: Sequence[Grant], expires_at: float | None, limits: KeyLimits, now: float) -> None:
    """Raises InputError for what cannot be a key."""
    try:
        msgspec.convert(msgspec.to_builtins(limits), KeyLimits)
    except msgspec.ValidationError as error:
        raise InputError(f"A key cannot have this limit: {error}") from None
    if not _NAME.match(name):
        raise InputError(
            f"{name[:80]!r} cannot name a key.", hint="Use letters, digits, '.', '_' and '-', such as 'ci'."
        )
    for grant in grants:
        check_where(grant.project, grant.domain)
    if expires_at is not None and expires_at <= now:
        raise InputError("The key would have expired already.")


def check_principal(principal: str) -> None:
    """Raises InputError for what cannot be a principal."""
    kind, _, name = principal.partition(":")
    if kind not in KINDS or not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InputError(
            f"{principal[:80]!r} is no principal.", hint="Such as 'apikey:ci', 'user:ana@example.org', 'group:maps'."
        )


def check_where(project: str, domain: str) -> None:
    """Raises InputError for what is no place of a grant."""
    check_place("a" if project == EVERY else project, "a" if domain == EVERY else domain)


def add_key(db: sqlite3.Connection, about: ApiKey, key: str) -> None:
    """Keep a key, by its hash, with its grants. Raises ConflictError, NoRoom."""
    name = about.name
    if db.execute("SELECT 1 FROM apikeys WHERE name = ?", (name,)).fetchone():
        raise ConflictError(f"There is a key {name!r} already.", hint="Delete it first, or choose another name.")
    if _count(db, "apikeys") >= KEYS_MAX:
        raise NoRoom(f"There are {KEYS_MAX} keys already.", hint="'wingbeat delete apikey NAME' makes room.")
    limits = msgspec.json.encode(about.limits)
    values = (name, keys.id_of(key), keys.hash_of(key), about.created_at, about.by, about.expires_at, limits)
    columns = "name, id, hash, created_at, by, expires_at, limits"
    db.execute(f"INSERT INTO apikeys ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    for grant in about.grants:
        put(db, Grant(f"apikey:{name}", grant.role, grant.project, grant.domain))


def remove_key(db: sqlite3.Connection, name: str) -> None:
    """Let go of a key and its grants. Raises NotFound."""
    if not db.execute("DELETE FROM apikeys WHERE name = ?", (name,)).rowcount:
        raise unknown_key(name)
    db.execute("DELETE FROM grants WHERE principal = ?", (f"apikey:{name}",))


def unknown_key(name: str) -> NotFound:
    """What is said of a key that is not there."""
    return NotFound(f"There is no key {name[:80]!r}.", hint="'wingbeat get apikeys' lists those that there are.")


def all_keys(db: sqlite3.Connection) -> list[ApiKey]:
    """All keys, by name."""
    found = db.execute("SELECT name, created_at, by, expires_at, limits FROM apikeys ORDER BY name").fetchall()
    return [
        ApiKey(name, at, by, expires_at, of(db, [f"apikey:{name}"]), _limits.decode(limits))
        for name, at, by, expires_at, limits in found
    ]


def holder(db: sqlite3.Connection, key: str, now: float) -> Holder | None:
    """Who has a key; None if it is not taken."""
    row = db.execute("SELECT name, hash, expires_at, limits FROM apikeys WHERE id = ?", (keys.id_of(key),)).fetchone()
    if row is None or not keys.is_key(key, row[1]) or (row[2] is not None and row[2] <= now):
        return None
    return Holder(f"apikey:{row[0]}", row[2], _limits.decode(row[3]))


def put(db: sqlite3.Connection, grant: Grant) -> bool:
    """Give a role; says whether something has changed. Raises NotFound for a key that is not there, NoRoom."""
    kind, _, name = grant.principal.partition(":")
    if kind == "apikey" and not db.execute("SELECT 1 FROM apikeys WHERE name = ?", (name,)).fetchone():
        raise unknown_key(name)
    if _count(db, "grants") >= GRANTS_MAX:
        raise NoRoom(f"There are {GRANTS_MAX} grants already.", hint="Give roles to groups, or in '*'.")
    values = (grant.principal, grant.project, grant.domain, grant.role)
    return (
        db.execute(
            "INSERT INTO grants (principal, project, domain, role) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET role = excluded.role WHERE role != excluded.role",
            values,
        ).rowcount
        > 0
    )


def remove(db: sqlite3.Connection, principal: str, project: str, domain: str) -> None:
    """Take a role away. Raises NotFound."""
    where = "principal = ? AND project = ? AND domain = ?"
    if not db.execute(f"DELETE FROM grants WHERE {where}", (principal, project, domain)).rowcount:
        raise NotFound(
            f"{principal[:80]} has no role of its own in {project[:80]}/{domain[:80]}.",
            hint="'wingbeat get grants' lists them.",
        )


def of(db: sqlite3.Connection, principals: Sequence[str]) -> list[Grant]:
    """The grants of some principals."""
    marks = ", ".join("?" * len(principals))
    query = f"SELECT principal, role, project, domain FROM grants WHERE principal IN ({marks}) ORDER BY principal, project, domain"
    return [Grant(p, Role(role), project, domain) for p, role, project, domain in db.execute(query, tuple(principals))]


def every(db: sqlite3.Connection) -> list[Grant]:
    """All grants."""
    query = "SELECT principal, role, project, domain FROM grants ORDER BY principal, project, domain"
    return [Grant(p, Role(role), project, domain) for p, role, project, domain in db.execute(query)]


def _count(db: sqlite3.Connection, table: str) -> int:
    (found,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)
