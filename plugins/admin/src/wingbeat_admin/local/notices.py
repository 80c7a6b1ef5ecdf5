"""What is to be told, from the decision until it is delivered or given up; and the deadlines of what runs. Statements within the
transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

from wingbeat.contracts.admin import NotificationEntry, NotificationQuery, NotificationState
from wingbeat.contracts.engine import Summary
from wingbeat.contracts.notifier import Message
from wingbeat.spec.notifications import NotifySpec
from wingbeat_admin.local.telling import Deadline, deadlines, message_of, told
from wingbeat_admin.places import clause

KEPT_S = 30 * 86400.0
"""What was delivered or given up is listed for so long."""
_FORGOTTEN_AT_ONCE = 100
AGAIN_S = 10.0
AGAIN_S_MAX = 3600.0

_message = msgspec.json.Decoder(Message)


class Notice(Struct, frozen=True):
    """A message to be sent.

    Attributes:
        since: When it was decided on, or asked for again.

        again: When it is sent again, unless it is taken.
    """

    message: Message
    since: float
    again: float


def note(
    db: sqlite3.Connection, specs: Sequence[NotifySpec], summary: Summary, *, new: bool, now: float, since: float
) -> int:
    """An execution has come into a phase. Says how many messages and deadlines there are more.

    Args:
        new: It was not known before.

        since: What has been before is not told.
    """
    count = sum(add(db, message, now) for message in told(specs, summary, now, since))
    if summary.ended_at is None:
        if new:
            count += sum(_add_deadline(db, each) for each in deadlines(specs, summary, since))
        return count
    if new:
        open_ = list(deadlines(specs, summary, since))
    else:
        where = "execution = ? AND told = 0"
        rows = db.execute(f"SELECT execution, channel, after_s, at FROM deadlines WHERE {where}", (summary.id,))
        open_ = [Deadline(*row) for row in rows.fetchall()]
        db.execute("DELETE FROM deadlines WHERE execution = ?", (summary.id,))
    missed = [each for each in open_ if each.at < summary.ended_at]
    return count + sum(add_missed(db, summary, each, now) for each in missed)


def add(db: sqlite3.Connection, message: Message, now: float) -> int:
    """It is to be told; 0 if that was decided already."""
    return db.execute(
        "INSERT OR IGNORE INTO notices (id, channel, execution, project, domain, body, since, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id, message.channel, message.execution, message.project, message.domain, msgspec.json.encode(message), now, now,
        ),
    ).rowcount  # fmt: skip


def _add_deadline(db: sqlite3.Connection, deadline: Deadline) -> int:
    values = (deadline.execution, deadline.channel, deadline.after_s, deadline.at)
    return db.execute("INSERT OR IGNORE INTO deadlines VALUES (?, ?, ?, ?, 0)", values).rowcount


def deadlines_come(db: sqlite3.Connection, now: float, limit: int) -> list[Deadline]:
    """Those that have come and were not told."""
    where = "told = 0 AND at <= ? ORDER BY at LIMIT ?"
    rows = db.execute(f"SELECT execution, channel, after_s, at FROM deadlines WHERE {where}", (now, limit))
    return [Deadline(*row) for row in rows.fetchall()]


def settled(db: sqlite3.Connection, deadline: Deadline) -> bool:
    """It is looked at no more; False if it was not any more already."""
    where = "execution = ? AND channel = ? AND after_s = ? AND told = 0"
    values = (deadline.execution, deadline.channel, deadline.after_s)
    return db.execute(f"UPDATE deadlines SET told = 1 WHERE {where}", values).rowcount > 0


def add_missed(db: sqlite3.Connection, summary: Summary, deadline: Deadline, now: float) -> int:
    """Tell that an execution has not ended in time."""
    return add(db, message_of(summary, deadline.channel, deadline.at, deadline.after_s), now)


def next_deadline(db: sqlite3.Connection) -> float | None:
    """The first that was not told."""
    (found,) = db.execute("SELECT min(at) FROM deadlines WHERE told = 0").fetchone()
    return None if found is None else float(found)


# -- on the way


def pause_s(tries: int) -> float:
    """How long to wait after so many failures."""
    return min(AGAIN_S * 2.0 ** min(tries, 30), AGAIN_S_MAX)


def _of(channels: Collection[str], *, others: bool) -> str:
    return f"channel {'NOT ' if others else ''}IN ({', '.join('?' * len(channels))})"


def waiting(db: sqlite3.Connection, channels: Collection[str], *, others: bool, now: float, limit: int) -> list[Notice]:
    """What is to be sent now over these channels, or all others; the oldest first. It counts as tried from now on: what ends the
    process that sends it is not sent again at once by the next one."""
    where = f"state = 'waiting' AND at <= ? AND {_of(channels, others=others)} ORDER BY at, number LIMIT ?"
    rows = db.execute(f"SELECT number, body, tries, since FROM notices WHERE {where}", (now, *channels, limit))
    found = [
        (number, Notice(_message.decode(body), since, now + pause_s(tries)))
        for number, body, tries, since in rows.fetchall()
    ]
    claim = "UPDATE notices SET tries = tries + 1, at = ? WHERE number = ?"
    db.executemany(claim, [(notice.again, number) for number, notice in found])
    return [notice for _, notice in found]


def earliest(db: sqlite3.Connection, channels: Collection[str], *, others: bool) -> float | None:
    """When the next one is to be sent."""
    where = f"state = 'waiting' AND {_of(channels, others=others)}"
    (found,) = db.execute(f"SELECT min(at) FROM notices WHERE {where}", tuple(channels)).fetchone()
    return None if found is None else float(found)


def delivered(db: sqlite3.Connection, id: str, now: float) -> None:
    """Its receiver has taken it. What was done with long ago is forgotten."""
    db.execute("UPDATE notices SET state = 'delivered', at = ?, failed = '' WHERE id = ?", (now, id))
    old = "SELECT number FROM notices WHERE state = ? AND at < ? LIMIT ?"
    for state in ("delivered", "dead"):
        db.execute(f"DELETE FROM notices WHERE number IN ({old})", (state, now - KEPT_S, _FORGOTTEN_AT_ONCE))


def failed(db: sqlite3.Connection, id: str, why: str) -> None:
    """It was not taken, this time."""
    db.execute("UPDATE notices SET failed = ? WHERE id = ?", (why, id))


def given_up(db: sqlite3.Connection, id: str, why: str, now: float) -> None:
    """It was not taken, and is sent no more."""
    db.execute("UPDATE notices SET state = 'dead', at = ?, failed = ? WHERE id = ?", (now, why, id))


def resend(db: sqlite3.Connection, id: str, now: float) -> bool:
    """Send it again, now, and for as long as one that was just decided on; False if there is none."""
    set_ = "UPDATE notices SET state = 'waiting', tries = 0, since = ?, at = ?, failed = '' WHERE id = ?"
    return db.execute(set_, (now, now, id)).rowcount > 0


def entries(db: sqlite3.Connection, query: NotificationQuery, limit: int) -> list[NotificationEntry]:
    """Those that a query selects, the newest first. `after` is one that is there, or empty."""
    condition, inside = clause(query.within)
    where, values = [condition], list[object](inside)
    for column in ("project", "domain", "execution", "channel", "state", "id"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            values.append(value)
    if query.after:
        where.append("number < (SELECT number FROM notices WHERE id = ?)")
        values.append(query.after)
    columns = "body, state, tries, at, failed"
    rows = db.execute(
        f"SELECT {columns} FROM notices WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?", (*values, limit)
    )
    return [_entry(*row) for row in rows.fetchall()]


def entry(db: sqlite3.Connection, id: str) -> NotificationEntry:
    """One that is there."""
    return _entry(*db.execute("SELECT body, state, tries, at, failed FROM notices WHERE id = ?", (id,)).fetchone())


def known(db: sqlite3.Connection, id: str, within: tuple[str, ...] | None) -> bool:
    """Whether there is one of that id, within these places."""
    condition, inside = clause(within)
    return db.execute(f"SELECT 1 FROM notices WHERE id = ? AND {condition}", (id, *inside)).fetchone() is not None


def _entry(body: bytes, state: str, tries: int, at: float, failed: str) -> NotificationEntry:
    message = _message.decode(body)
    return NotificationEntry(
        message.id, message.channel, message.execution, message.phase, message.title, message.at, NotificationState(state), tries,
        at if state == "waiting" else None, at if state == "delivered" else None, failed, message.project, message.domain,
        message.backfill,
    )  # fmt: skip
