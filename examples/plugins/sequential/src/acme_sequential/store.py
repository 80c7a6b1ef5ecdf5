"""The file: executions with their events. Called in one thread; other processes may have it open too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from acme_sequential.state import State, told
from wingbeat.base.errors import ConfigurationError, ConflictError, NotFound
from wingbeat.contracts.engine import Change, Summary
from wingbeat.contracts.observer import Published
from wingbeat.spec.codec import canonical, read_known
from wingbeat.spec.entities import Closure
from wingbeat.spec.phase import ExecutionPhase

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
BUSY_S = 20.0
PAGE = 500

# `live` is what a process that runs executions asks by; all else that is known stands in `state`.
_TABLES = """
    CREATE TABLE IF NOT EXISTS closures (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS executions (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, change INTEGER NOT NULL UNIQUE,
        live INTEGER NOT NULL, aborting INTEGER NOT NULL, state BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS live ON executions (aborting DESC, number) WHERE live;
    CREATE TABLE IF NOT EXISTS events (
        execution TEXT NOT NULL, cursor INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (execution, cursor)
    ) WITHOUT ROWID;
"""
_state = msgspec.json.Decoder(State)
_event = msgspec.json.Decoder(Published)


class Store:
    """Executions in a file.

    Args:
        path: Made if it is not there. Raises `ConfigurationError` if it cannot be used.
    """

    def __init__(self, path: str) -> None:
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            (format_,) = self._db.execute("PRAGMA user_version").fetchone()
            if format_ <= FORMAT:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(f"{_TABLES} PRAGMA user_version={FORMAT};")
                return
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path} cannot be used: {error}.") from error
        self._db.close()
        raise ConfigurationError(f"{path} has the format {format_}; this acme-sequential knows {FORMAT}.")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def version(self) -> int:
        """Another number when another process has written."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.rollback()

    def launch(self, state: State, closure: Closure) -> bool:
        """Add an execution. False if it is there; raises `ConflictError` if that is another one."""
        with self._transaction():
            there = self._find(state.view.id)
            if there is None:
                self._db.execute(
                    "INSERT OR IGNORE INTO closures VALUES (?, ?)", (state.view.closure, canonical(closure))
                )
                self._write(None, state, state.view.created_at)
            elif there.key != state.key:
                raise ConflictError(
                    f"There is an execution {state.view.id!r} already, of another content.", hint="Choose another name."
                )
        return there is None

    def update(self, execution: str, change: Callable[[State], State], at: float) -> State:
        """Change an execution; what `change` raises leaves it as it is. Raises `NotFound`."""
        with self._transaction():
            before = self.state(execution)
            after = change(before)
            if after != before:
                self._write(before, after, at)
        return after

    def _write(self, before: State | None, after: State, at: float) -> None:
        id, live = after.view.id, not after.view.phase.terminal
        state = msgspec.json.encode(after)
        if before is None:
            add = "INSERT INTO executions (id, change, live, aborting, state) VALUES (?, ?, ?, 0, ?)"
            self._db.execute(add, (id, self._next_change(), live, state))
        else:
            set_ = "UPDATE executions SET live = ?, aborting = ?, state = ? WHERE id = ?"
            self._db.execute(set_, (live, after.abort is not None, state, id))
            if before.view.phase is not after.view.phase:
                self._db.execute("UPDATE executions SET change = ? WHERE id = ?", (self._next_change(), id))
        last = "SELECT coalesce(max(cursor), -1) FROM events WHERE execution = ?"
        (cursor,) = self._db.execute(last, (id,)).fetchone()
        for number, event in enumerate(told(before, after, at), cursor + 1):
            body = msgspec.json.encode(msgspec.structs.replace(event, cursor=number))
            self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (id, number, body))

    def _next_change(self) -> int:
        (last,) = self._db.execute("SELECT coalesce(max(change), 0) FROM executions").fetchone()
        return int(last) + 1

    def _find(self, execution: str) -> State | None:
        row = self._db.execute("SELECT state FROM executions WHERE id = ?", (execution,)).fetchone()
        return None if row is None else _state.decode(row[0])

    def state(self, execution: str) -> State:
        """An execution. Raises `NotFound`."""
        if (found := self._find(execution)) is None:
            raise NotFound(f"There is no execution {execution!r}.", hint="'wingbeat get executions' lists them.")
        return found

    def closure(self, execution: str) -> Closure:
        """What an execution runs. Raises `NotFound`."""
        name = self.state(execution).view.closure
        (body,) = self._db.execute("SELECT body FROM closures WHERE digest = ?", (name,)).fetchone()
        return read_known(body, name)

    def live(self, limit: int) -> list[tuple[str, bool]]:
        """Executions that have not ended, and whether they are to stop: those first, then the oldest."""
        query = "SELECT id, aborting FROM executions WHERE live ORDER BY aborting DESC, number LIMIT ?"
        return [(id, bool(aborting)) for id, aborting in self._db.execute(query, (limit,))]

    def page(self, after: str, limit: int) -> list[Summary]:
        """Executions, the newest first. Raises `NotFound`."""
        if after:
            self.state(after)
        query = (
            "SELECT state FROM executions WHERE number < coalesce((SELECT number FROM executions WHERE id = ?), 1e18) "
            "ORDER BY number DESC LIMIT ?"
        )
        return [_summary(body) for (body,) in self._db.execute(query, (after, limit))]

    def changes(self, after: int) -> list[Change]:
        """Executions behind a number."""
        query = "SELECT change, state FROM executions WHERE change > ? ORDER BY change LIMIT ?"
        return [Change(number, _summary(body)) for number, body in self._db.execute(query, (after, PAGE))]

    def events(self, execution: str, cursor: int) -> tuple[list[Published], ExecutionPhase]:
        """Events behind a cursor, and the phase that the execution had then. Raises `NotFound`."""
        phase = self.state(execution).view.phase
        query = "SELECT body FROM events WHERE execution = ? AND cursor > ? ORDER BY cursor LIMIT ?"
        rows = self._db.execute(query, (execution, cursor, PAGE))
        return [_event.decode(body) for (body,) in rows], phase


def _summary(body: bytes) -> Summary:
    view = _state.decode(body).view
    return Summary(view.id, view.workflow, view.phase, view.created_at, view.ended_at, view.labels)
