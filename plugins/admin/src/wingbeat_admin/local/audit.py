"""The audit log: statements within the transactions of `Store`, and on whose behalf this task works."""

from __future__ import annotations

import sqlite3
from contextvars import ContextVar

from msgspec import Struct

from wingbeat.contracts.access import AuditEntry, AuditPage, AuditQuery, Outcome
from wingbeat.contracts.admin import PAGE_MAX
from wingbeat_admin.places import clause

TEXT_LENGTH_MAX = 300
"""Longer words of whoever asks are cut: they are kept for long."""
_DAY_S = 86_400.0
_SWEPT = 100
"""So many old entries at most go when a new one comes: the file shrinks to its time, and nobody waits for it."""

_COLUMNS = "at, principal, action, object, outcome, project, domain, address, request"


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
    db.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    old = "SELECT number FROM audit WHERE at < ? ORDER BY at LIMIT ?"
    db.execute(f"DELETE FROM audit WHERE number IN ({old})", (at - days * _DAY_S, _SWEPT))


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
        f"SELECT {_COLUMNS}, number FROM audit WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
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
