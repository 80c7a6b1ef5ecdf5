"""The journal in the box: one SQLite file, written by one connection.

WAL with ``synchronous=FULL``: what `append` returned from survives a power cut. One append is one transaction that checks
the fence, whatever number of executions it holds, so commits are shared by everything that happens at the same time.

SQLite before 3.51.3 can corrupt a WAL when two connections write and checkpoint at once; hence exactly one connection that
writes, and readers that are opened read-only, which never checkpoint.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import aiosqlite
import msgspec

from wingbeat.base.errors import ConfigurationError, JournalDamaged, JournalUnknown, NotFound, WingbeatError
from wingbeat.builtin.changed import number_changes, take_numbers
from wingbeat.builtin.lockers import lockers
from wingbeat.builtin.pruning import prune
from wingbeat.builtin.settings import JournalSettings
from wingbeat.builtin.unended import believed, count_live, end_crc
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.journal import Batch, Change, FencedOut, Record, Row, Snapshot, StorageFull

P = ParamSpec("P")
T = TypeVar("T")

FORMAT = 1
ROWS_PER_STATEMENT = 2000  # three variables a row, and SQLite takes 32,766

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closures(digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, closure TEXT NOT NULL, workflow TEXT NOT NULL, inputs BLOB NOT NULL,
    launch_key TEXT NOT NULL, labels BLOB NOT NULL, created_at REAL NOT NULL, phase TEXT NOT NULL, ended_at REAL,
    crc INTEGER, end_crc INTEGER, changed INTEGER);
CREATE INDEX IF NOT EXISTS executions_live ON executions(number) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS executions_key ON executions(launch_key) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS facts(
    execution TEXT NOT NULL, sequence INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(execution, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots(
    execution TEXT PRIMARY KEY, sequence INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
"""
_RECORD = (
    "id",
    "closure",
    "workflow",
    "inputs",
    "launch_key",
    "labels",
    "created_at",
    "phase",
    "ended_at",
    "crc",
    "end_crc",
)
_ADDED = ("crc", "end_crc", "changed")
"""Columns that a file from before does not have."""


class _Fenced(Exception):
    """The fence is not the newest; the transaction is undone."""


class SQLiteJournal:
    """A `wingbeat.contracts.journal.Journal` in the file at `path`."""

    def __init__(self, path: Path, settings: JournalSettings | None = None) -> None:
        self.path = path
        self.settings = settings or JournalSettings()
        self._db: aiosqlite.Connection | None = None
        self._wanted: list[str] = []
        self._looking: asyncio.Task[dict[str, Record]] | None = None
        self._failed = False
        self._record = ", ".join(_RECORD)
        self._unnumbered = False

    async def open(self, owner: str) -> int:
        """See `Journal.open`."""
        try:
            self._db = await aiosqlite.connect(self.path, isolation_level=None, timeout=self.settings.busy_timeout_s)
            ((mode,),) = await self._db.execute_fetchall("PRAGMA journal_mode=WAL")
            if mode != "wal":  # an I/O error leaves the old one, without another word
                raise sqlite3.OperationalError(f"its log cannot be made (journal mode {mode})")  # noqa: TRY301  # as above
            await self._db.execute(f"PRAGMA synchronous={self.settings.synchronous}")
            await self._check_format()
            await self._db.executescript(SCHEMA)
            for name in await self._lacking():
                await self._db.execute(f"ALTER TABLE executions ADD COLUMN {name} INTEGER")
            await self._at_once(number_changes)
            hit("journal.opened")
            fence = await self._at_once(_take_fence, owner)
            await self._at_once(count_live)
            return fence
        except BaseException as error:
            await self._give_up(error)
            raise

    async def open_to_read(self) -> None:
        """See `Journal.open_to_read`."""
        if not self.path.is_file():
            raise NotFound(f"There is no journal {self.path}.")
        try:
            uri = f"file:{self.path}?mode=ro"
            self._db = await aiosqlite.connect(
                uri, uri=True, isolation_level=None, timeout=self.settings.busy_timeout_s
            )
            await self._check_format()
            lacking = await self._lacking()
            self._record = ", ".join("NULL" if name in lacking else name for name in _RECORD)
            self._unnumbered = "changed" in lacking
        except BaseException as error:
            await self._give_up(error)
            raise

    async def append(self, batch: Batch, fence: int) -> None:
        """See `Journal.append`."""
        try:
            whole = await self._at_once(_append, batch, fence)
        except _Fenced:
            whole = False
        except sqlite3.Error as error:
            raise self._told(error) from error
        if not whole:
            raise FencedOut(f"Another kernel has taken over the journal {self.path}.")

    async def snapshot(self, snapshot: Snapshot, fence: int) -> None:
        """See `Journal.snapshot`."""
        try:
            await self._connection.execute(
                "INSERT OR REPLACE INTO snapshots SELECT ?, ?, ?, ? WHERE (SELECT value FROM meta WHERE key='fence') = ?",
                (snapshot.execution, snapshot.sequence, zlib.crc32(snapshot.body), snapshot.body, fence),
            )
        except sqlite3.Error as error:
            raise self._told(error) from error
        hit("journal.snapshot-written")

    async def prune(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        """See `Prunable.prune`."""
        try:
            return await self._at_once(_prune, executions, closures, fence)
        except _Fenced:
            raise FencedOut(f"Another kernel has taken over the journal {self.path}.") from None
        except sqlite3.Error as error:
            raise self._told(error) from error

    async def closures(self) -> list[str]:
        """See `Prunable.closures`."""
        return [digest for (digest,) in await self._select("SELECT digest FROM closures", ())]

    async def closure(self, digest: str) -> bytes | None:
        """See `Journal.closure`."""
        rows = await self._select("SELECT body FROM closures WHERE digest = ?", (digest,))
        return rows[0][0] if rows else None

    async def record(self, execution: str) -> Record | None:
        """See `Journal.record`. Callers of one turn of the loop share a statement: what costs is the hop to the thread."""
        self._wanted.append(execution)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return (await asyncio.shield(self._looking)).get(execution)

    async def records(
        self, *, live: bool | None = None, launch_key: str | None = None, after: str = "", limit: int = 100
    ) -> list[Record]:
        """See `Journal.records`."""
        where, values = ["1"], []
        if live is not None:
            where.append(f"ended_at IS {'NULL' if live else 'NOT NULL'}")
        if launch_key is not None:
            where.append("launch_key = ?")
            values.append(launch_key)
        if after:
            where.append("number < (SELECT number FROM executions WHERE id = ?)")
            values.append(after)
        query = f"SELECT {self._record} FROM executions WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"
        return [_record(row) for row in await self._select(query, (*values, limit))]

    async def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """See `Journal.changes`."""
        if self._unnumbered:
            return []
        query = f"SELECT changed, {self._record} FROM executions WHERE changed > ? ORDER BY changed LIMIT ?"
        return [Change(row[0], _record(row[1:])) for row in await self._select(query, (after, limit))]

    async def read(self, execution: str, after: int = -1) -> list[Row]:
        """See `Journal.read`."""
        query = "SELECT sequence, crc, body FROM facts WHERE execution = ? AND sequence > ? ORDER BY sequence"
        rows = []
        for expected, (sequence, crc, body) in enumerate(await self._select(query, (execution, after)), after + 1):
            if sequence != expected or zlib.crc32(body) != crc:
                raise JournalDamaged(
                    f"The journal of execution {execution} is damaged at row {expected} ({self.path})."
                )
            rows.append(Row(execution, sequence, body))
        return rows

    async def latest(self, execution: str) -> Snapshot | None:
        """See `Journal.latest`. A damaged snapshot counts as none: the rows are still there."""
        rows = await self._select("SELECT sequence, crc, body FROM snapshots WHERE execution = ?", (execution,))
        if not rows or zlib.crc32(rows[0][2]) != rows[0][1]:
            return None
        return Snapshot(execution, rows[0][0], rows[0][2])

    async def close(self) -> None:
        """See `Journal.close`."""
        db, self._db = self._db, None
        if db is None:
            return
        # The last connection that closes moves the log into the file and flushes it, which must not be tried again after it
        # has failed; a read-only one does not.
        last = _reader(self.path) if self._failed else None
        await db.close()
        if last is not None:
            last.close()

    @property
    def _connection(self) -> aiosqlite.Connection:
        if self._db is None:
            raise JournalUnknown("The journal is closed.")
        return self._db

    async def _check_format(self) -> None:
        tables = await self._select("SELECT name FROM sqlite_master WHERE name = 'meta'", ())
        found = await self._select("SELECT value FROM meta WHERE key = 'format'", ()) if tables else []
        if found and found[0][0] > FORMAT:
            raise ConfigurationError(
                f"The journal {self.path} has format {found[0][0]}; this Wingbeat reads formats up to {FORMAT}.",
                hint="Upgrade wingbeat, or use another home.",
            )

    async def _lacking(self) -> list[str]:
        """Columns that records do not have in a file from before."""
        found = {name for (name,) in await self._select("SELECT name FROM pragma_table_info('executions')", ())}
        return [name for name in _ADDED if name not in found]

    async def _at_once(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **_: P.kwargs) -> T:
        """Do several statements in one hop to the connection's thread, of which each costs more than most statements.

        What was begun there is ended, also when whoever waits for it is cancelled.
        """
        db = self._connection
        # aiosqlite has no public way to its thread.
        return cast(T, await db._execute(work, db._conn, *args))  # type: ignore[no-untyped-call]  # noqa: SLF001

    async def _look(self) -> dict[str, Record]:
        wanted, self._wanted, self._looking = self._wanted, [], None
        query = f"SELECT {self._record} FROM executions WHERE id IN (SELECT value FROM json_each(?))"
        rows = await self._select(query, (msgspec.json.encode(wanted).decode(),))
        return {row[0]: _record(row) for row in rows}

    def _told(self, error: sqlite3.Error) -> WingbeatError:
        """What SQLite says of a write. A full disk rolls the transaction back; after anything else the outcome is unknown."""
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            return StorageFull(f"The disk is full: the journal {self.path} cannot grow.", hint="Make room; then go on.")
        self._failed = True
        held = self._held_by(error) if isinstance(error, sqlite3.OperationalError) else ""
        return JournalUnknown(f"The journal {self.path} failed while committing: {error}.", hint=held)

    async def _give_up(self, error: BaseException) -> None:
        """Close what could not be opened: its thread would keep the process from ending. Raises JournalUnknown for SQLite's
        errors."""
        self._failed = isinstance(error, sqlite3.Error)
        await self.close()
        if isinstance(error, sqlite3.Error):
            message = f"The journal {self.path} cannot be opened: {error}."
            raise JournalUnknown(message, hint=self._held_by(error)) from error

    def _held_by(self, error: sqlite3.Error) -> str:
        """What to do about a lock that another process has held for longer than `busy_timeout_s`; empty for other errors."""
        if "locked" not in str(error):
            return ""
        pids = lockers(self.path, self.path.with_name(f"{self.path.name}-shm"))
        holder = f"Process {' or '.join(map(str, pids))}" if pids else "Another process"
        return (
            f"{holder} has held its lock for more than {self.settings.busy_timeout_s:g} s: it is stopped within a commit (Ctrl-Z), "
            "or hangs. Let it go on (kill -CONT) or end it; what it has committed stays."
        )

    async def _select(self, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            return list(await self._connection.execute_fetchall(query, values))
        except sqlite3.Error as error:
            raise JournalUnknown(f"The journal {self.path} cannot be read: {error}.") from error


def _reader(path: Path) -> sqlite3.Connection | None:
    """A connection that only reads, and takes part in the log."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.execute("SELECT count(*) FROM meta").fetchall()
    except sqlite3.Error:
        return None
    return db


def _append(db: sqlite3.Connection, batch: Batch, fence: int) -> bool:
    """Write a batch; False if the fence is not the newest. Only facts: one statement, which is its own transaction."""
    if len(batch.rows) <= ROWS_PER_STATEMENT and not (batch.launches or batch.phases or batch.closures):
        whole = _insert(db, batch.rows, fence)
        hit("journal.inserted")
        return whole
    with _transaction(db):
        hit("journal.begun")
        _write(db, batch, fence)
        hit("journal.written")
    hit("journal.committed")
    return True


def _prune(db: sqlite3.Connection, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
    with _transaction(db):
        if _fence(db) != fence:
            raise _Fenced
        found = prune(db, executions, closures)
    hit("journal.pruned")
    return found


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def _write(db: sqlite3.Connection, batch: Batch, fence: int) -> None:
    if _fence(db) != fence:  # first: what the next writer has written must not be taken for a damage
        raise _Fenced
    if batch.closures:
        db.executemany("INSERT OR IGNORE INTO closures VALUES (?, ?)", list(batch.closures.items()))
    number = take_numbers(db, len(batch.launches) + len(batch.phases))
    if batch.launches:
        db.executemany(
            f"INSERT INTO executions({', '.join(_RECORD)}, changed) VALUES ({', '.join('?' * len(_RECORD))}, ?)",
            [(*_values(record), number + i) for i, record in enumerate(batch.launches)],
        )
        number += len(batch.launches)
    for start in range(0, len(batch.rows), ROWS_PER_STATEMENT):
        if not _insert(db, batch.rows[start : start + ROWS_PER_STATEMENT], fence):
            raise _Fenced
    if batch.phases:
        ended = [
            (p.phase, p.at, end_crc(p.execution, p.phase, p.at), number + i, p.execution)
            for i, p in enumerate(batch.phases)
        ]
        db.executemany("UPDATE executions SET phase = ?, ended_at = ?, end_crc = ?, changed = ? WHERE id = ?", ended)
    if more := len(batch.launches) - sum(p.at is not None for p in batch.phases):
        db.execute("UPDATE meta SET value = value + ? WHERE key = 'live'", (more,))


def _insert(db: sqlite3.Connection, rows: Sequence[Row], fence: int) -> bool:
    """Insert all rows, or none where the fence is not the newest."""
    if not rows:
        return True
    values: list[Any] = []
    for row in rows:
        values += (row.execution, row.sequence, zlib.crc32(row.body), row.body)
    values.append(fence)
    return db.execute(_insert_statement(len(rows)), values).rowcount == len(rows)


def _insert_statement(count: int) -> str:
    rows = ",".join(["(?,?,?,?)"] * count)
    return (
        "INSERT INTO facts SELECT column1, column2, column3, column4 "
        f"FROM (VALUES {rows}) WHERE (SELECT value FROM meta WHERE key='fence') = ?"
    )


def _take_fence(db: sqlite3.Connection, owner: str) -> int:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?), ('fence', 0)", (FORMAT,))
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'fence'")
    db.execute("INSERT OR REPLACE INTO meta VALUES ('owner', ?)", (owner,))
    fence = _fence(db)
    hit("journal.fence-written")
    db.execute("COMMIT")
    return fence


def _fence(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT value FROM meta WHERE key = 'fence'").fetchone()
    if found is None or not isinstance(found[0], int):
        raise sqlite3.DatabaseError("its fence is damaged")
    return int(found[0])


def _values(record: Record) -> tuple[Any, ...]:
    lasting = _lasting(record)
    return (
        *lasting, record.phase, record.ended_at, _crc(lasting), end_crc(record.execution, record.phase, record.ended_at)
    )  # fmt: skip


def _lasting(record: Record) -> tuple[Any, ...]:
    """What never changes of a record, as it is in the file."""
    labels = msgspec.msgpack.encode(record.labels)
    return (
        record.execution, record.closure, record.workflow, record.inputs, record.launch_key, labels, record.created_at,
    )  # fmt: skip


def _crc(lasting: Sequence[Any]) -> int:
    return zlib.crc32(msgspec.msgpack.encode(list(lasting)))


def _record(row: Sequence[Any]) -> Record:
    damaged = row[9] is not None and _crc(row[:7]) != row[9]
    doubtful = not believed(row[0], row[7], row[8], row[10])
    try:
        labels = msgspec.msgpack.decode(row[5], type=dict[str, str])
    except (TypeError, msgspec.DecodeError):
        labels, damaged = {}, True
    return Record(
        execution=row[0], closure=row[1], workflow=row[2], inputs=row[3], launch_key=row[4], labels=labels,
        created_at=row[6], phase=row[7], ended_at=row[8], damaged=damaged, doubtful=doubtful,
    )  # fmt: skip
