"""Whether the audit log is as it was written: along the chain of its digests, part by part, so that nobody waits for it."""

from __future__ import annotations

import re
import sqlite3

from wingbeat.base.errors import InputError
from wingbeat.contracts.access import AuditCheck
from wingbeat_admin.local.audit import ANCHOR, COLUMNS, NEWEST, digest_of, mark

PART = 5000
TOLD_MAX = 20
_HELD = re.compile(r"(\d{1,18}):([0-9a-f]{64})\Z")


class Walk:
    """Goes along the log, from the anchor to the newest entry.

    Args:
        held: A newest entry of earlier, ``NUMBER:DIGEST``, or empty.

    Raises:
        InputError: It is none.
    """

    def __init__(self, held: str) -> None:
        match = _HELD.match(held)
        if held and match is None:
            raise InputError(
                f"{held[:100]!r} is no NUMBER:DIGEST.", hint="It is what an earlier verification has printed."
            )
        self._held = (int(match[1]), bytes.fromhex(match[2])) if match else None
        self._at, self._digest = -1, b""
        self._first = self._count = self._before = self._more = 0
        self._wrong: list[str] = []

    def go_on(self, db: sqlite3.Connection) -> bool:
        """The next part; False behind the last. What was swept meanwhile is left out."""
        number, digest = mark(db, ANCHOR)
        if self._at < 0:
            (self._before,) = db.execute("SELECT count(*) FROM audit WHERE number <= ?", (number,)).fetchone()
        if number > self._at:
            self._at, self._digest = number, digest
            self._compare()
        query = f"SELECT number, digest, {COLUMNS} FROM audit WHERE number > ? ORDER BY number LIMIT ?"
        rows = db.execute(query, (self._at, PART)).fetchall()
        for each, written, *values in rows:
            self._follow(each, written, values)
        if len(rows) == PART:
            return True
        self._end(*mark(db, NEWEST))
        return False

    def _follow(self, number: int, written: bytes | None, values: list[object]) -> None:
        if number != self._at + 1:
            self._say(f"{_entries(self._at + 1, number - 1)} not there")
        elif written != digest_of(self._digest, number, values):
            self._say(f"entry {number} is not what was written")
        self._first = self._first or number
        self._count += 1
        self._at, self._digest = number, written or b""
        self._compare()

    def _compare(self) -> None:
        if self._held is not None and self._held[0] == self._at:
            if self._held[1] != self._digest:
                self._say(f"entry {self._at} has another digest than it had: the log up to it was written anew")
            self._held = None

    def _end(self, number: int, digest: bytes) -> None:
        if self._at < number:
            self._say(f"{_entries(self._at + 1, number)} not there")
        elif (self._at, self._digest) != (number, digest):
            self._say(f"entry {number} was the newest that was written, and there is another")
        if self._held is not None and self._held[0] < self._at:
            self._say(f"entry {self._held[0]} is not kept any more: nothing can be said of it")
        elif self._held is not None:
            self._say(f"entry {self._held[0]} is not there")

    def _say(self, what: str) -> None:
        if len(self._wrong) < TOLD_MAX:
            self._wrong.append(what)
        else:
            self._more += 1

    def found(self) -> AuditCheck:
        """What was found."""
        wrong = [*self._wrong, f"and {self._more} more"] if self._more else self._wrong
        newest = f"{self._at}:{self._digest.hex()}" if self._digest else ""
        return AuditCheck(wrong, newest, self._first, self._count, self._before)


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
