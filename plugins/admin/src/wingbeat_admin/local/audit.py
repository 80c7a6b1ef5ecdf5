"""The audit log: statements within the transactions of `Store`, and on whose behalf this task works."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextvars import ContextVar

from msgspec import Struct

from wingbeat.contracts.access import AuditEntry, AuditPage, AuditQuery, Outcome
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat.spec.codec import canonical
from wingbeat_admin.places import clause

TEXT_LENGTH_MAX = 300
"""Longer words of whoever asks are cut: they are kept for long."""
_DAY_S = 86_400.0
_SWEPT = 100
"""So many old entries at most go when a new one comes: the file shrinks to its time, and nobody waits for it."""

# The digest of an entry is over it and the digest before it. `audit_anchor` is the last entry that was swept (or, of a file that is
# older than digests, the last one that has none), `audit_newest` the last one that there is: number and digest. A step of
# `schema`; what is there has no digest.
CHAIN = """
    ALTER TABLE audit ADD COLUMN digest BLOB;
    INSERT INTO meta SELECT 'audit_anchor', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) || ':';
    INSERT INTO meta SELECT 'audit_newest', value FROM meta WHERE key = 'audit_anchor'
"""
ANCHOR, NEWEST = "audit_anchor", "audit_newest"
COLUMNS = "at, principal, action, object, outcome, project, domain, address, request"


class Call(Struct):
    """A request that the server answers.

    Attributes:
        noted: Whether it is in the log already: with the change that it made.
    """

    principal: str
    address: str
    request: str
    noted: bool = False


CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)
"""The request that this task answers, if it does."""


def entry(action: str, object_: str, project: str, domain: str, by: str) -> AuditEntry:
    """What is noted of a change that is about to be made; without its time."""
    call = CALL.get()
    if call is None:
        return AuditEntry(0.0, by, action, object_, Outcome.ALLOWED, project, domain)
    who = call.principal or by
    return AuditEntry(0.0, who, action, object_, Outcome.ALLOWED, project, domain, call.address, call.request)


def append(db: sqlite3.Connection, entry: AuditEntry, at: float, days: float) -> None:
    """Add an entry at the end, and let go of some that are older than so many days."""
    texts = (
        entry.principal,
        entry.action,
        entry.object,
        entry.outcome,
        entry.project,
        entry.domain,
        entry.address,
        entry.request,
    )
    values = (at, *(_printable(text) for text in texts))
    number = db.execute(f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid or 0
    digest = digest_of(mark(db, NEWEST)[1], number, values)
    db.execute("UPDATE audit SET digest = ? WHERE number = ?", (digest, number))
    _set_mark(db, NEWEST, number, digest)
    _sweep(db, at - days * _DAY_S)


def digest_of(before: bytes, number: int, values: Sequence[object]) -> bytes:
    """The digest of an entry, which follows one with the digest `before`."""
    return hashlib.sha256(before + canonical([number, *values])).digest()


def mark(db: sqlite3.Connection, name: str) -> tuple[int, bytes]:
    """Number and digest of the `ANCHOR`, or of the `NEWEST` entry."""
    (value,) = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    number, _, digest = value.partition(":")
    return int(number), bytes.fromhex(digest)


def _set_mark(db: sqlite3.Connection, name: str, number: int, digest: bytes) -> None:
    db.execute("UPDATE meta SET value = ? WHERE key = ?", (f"{number}:{digest.hex()}", name))


def _sweep(db: sqlite3.Connection, before: float) -> None:
    """Let go of some that are older, in their order; what follows them is still known to follow."""
    last, digest = 0, None
    for number, at, found in db.execute("SELECT number, at, digest FROM audit ORDER BY number LIMIT ?", (_SWEPT,)):
        if at >= before:
            break
        last, digest = number, found
    if last:
        db.execute("DELETE FROM audit WHERE number <= ?", (last,))
    if digest is not None:
        _set_mark(db, ANCHOR, last, digest)


def page(db: sqlite3.Connection, query: AuditQuery) -> AuditPage:
    """A page, the newest first."""
    condition, inside = clause(query.within)
    where, values = [condition], list[object](inside)
    for column in ("principal", "action", "outcome", "project", "domain"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            values.append(value)
    if query.after:
        where.append("number < ?")
        values.append(query.after)
    limit = max(1, min(query.limit, PAGE_MAX))
    rows = db.execute(
        f"SELECT {COLUMNS}, number FROM audit WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    items = [_entry(*row) for row in rows[:limit]]
    return AuditPage(items, items[-1].number if len(rows) > limit else 0)


def _entry(
    at: float,
    principal: str,
    action: str,
    object_: str,
    outcome: str,
    project: str,
    domain: str,
    address: str,
    request: str,
    number: int,
) -> AuditEntry:
    return AuditEntry(at, principal, action, object_, Outcome(outcome), project, domain, address, request, number)


def _printable(text: str) -> str:
    """As it can be shown on a terminal, and not too long."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:TEXT_LENGTH_MAX])
