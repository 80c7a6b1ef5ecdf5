"""A journal in LMDB.

=========  ==========================================  ======================
database   key                                         value
=========  ==========================================  ======================
meta       ``fence``, ``format``, ``owner``            number, text
           ``records``, ``changes``                    last numbers given, of those that may be gone
rows       execution, sequence number                  body
records    number of the launch                        `Record`
numbers    execution                                   number of the launch
live       number of the launch, until it has ended
keys       launch key, number of the launch
snapshots  execution                                   sequence number, body
closures   digest                                      body
digests    digest                                      itself, in full
=========  ==========================================  ======================

Names are hashed in keys, which are short in LMDB; every value is behind a checksum.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, TypeVar
from zlib import crc32

import lmdb
import msgspec
from msgspec.structs import replace

from acme_lmdb.files import DATABASES, acquire, release
from wingbeat.base.errors import ConfigurationError, JournalDamaged, JournalUnknown, NotFound
from wingbeat.contracts.journal import Batch, Change, FencedOut, Record, Row, Snapshot, StorageFull
from wingbeat.spec.phase import ExecutionPhase

FORMAT = 1
T = TypeVar("T")


class LmdbJournal:
    """See `wingbeat.contracts.journal.Journal`.

    Everything is done in one thread of its own, in order: what was cancelled is done before the file is closed.
    """

    def __init__(self, path: str, map_bytes: int) -> None:
        self._path, self._map_bytes = path, map_bytes
        self._env: lmdb.Environment | None = None
        self._db: dict[str, Any] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._reads = False

    async def open(self, owner: str) -> int:
        """Take the next fence."""
        self._thread = ThreadPoolExecutor(1, "lmdb")
        return await self._do(lambda: self._open(owner))

    def _open(self, owner: str) -> int:
        self._env = acquire(self._path, self._map_bytes)
        self._db = {name: self._env.open_db(name.encode()) for name in DATABASES}
        with self._env.begin(write=True) as txn:
            self._check_format(txn)
            fence = self._fence(txn) + 1
            for key, value in ((b"format", b"%d" % FORMAT), (b"fence", b"%d" % fence), (b"owner", owner.encode())):
                txn.put(key, value, db=self._db["meta"])
        return fence

    async def open_to_read(self) -> None:
        """Take no fence: LMDB lets any number read beside the one that writes."""
        self._thread = ThreadPoolExecutor(1, "lmdb")
        self._reads = True
        await self._do(self._open_to_read)

    def _open_to_read(self) -> None:
        if not os.path.exists(self._path):
            raise NotFound(f"There is no journal {self._path}.")
        self._env = acquire(self._path, self._map_bytes)
        self._db = {name: self._env.open_db(name.encode()) for name in DATABASES}
        with self._env.begin() as txn:
            self._check_format(txn)

    def _check_format(self, txn: lmdb.Transaction) -> None:
        found = int(txn.get(b"format", b"0", self._db["meta"]))
        if found > FORMAT:
            raise ConfigurationError(f"{self._path} has the format {found}; this is acme-lmdb for {FORMAT}.")

    async def append(self, batch: Batch, fence: int) -> None:
        """Commit, or write nothing."""
        await self._do(lambda: self._append(batch, fence))

    def _append(self, batch: Batch, fence: int) -> None:
        with self._writing(fence) as txn:
            for digest, body in batch.closures.items():
                txn.put(_hash(digest), _sealed(body), db=self._db["closures"])
                txn.put(_hash(digest), digest.encode(), db=self._db["digests"])
            for launch in batch.launches:
                number = self._next(txn, "records")
                if not txn.put(_hash(launch.execution), number, overwrite=False, db=self._db["numbers"]):
                    raise ValueError(f"{launch.execution} was launched already")
                txn.put(_hash(launch.launch_key) + number, b"", db=self._db["keys"])
                self._keep(txn, number, launch)
            for row in batch.rows:
                if not txn.put(
                    _row(row.execution, row.sequence), _sealed(row.body), overwrite=False, db=self._db["rows"]
                ):
                    raise ValueError(f"{row.execution} has a row {row.sequence} already")
            for ended in batch.phases:
                number = txn.get(_hash(ended.execution), db=self._db["numbers"])
                if number is not None:
                    self._keep(txn, number, replace(self._record(txn, number), phase=ended.phase, ended_at=ended.at))

    async def snapshot(self, snapshot: Snapshot, fence: int) -> None:
        """Replace the one before."""
        await self._do(lambda: self._snapshot(snapshot, fence))

    def _snapshot(self, snapshot: Snapshot, fence: int) -> None:
        with self._writing(fence) as txn:
            value = _sealed(struct.pack(">q", snapshot.sequence) + snapshot.body)
            txn.put(_hash(snapshot.execution), value, db=self._db["snapshots"])

    async def prune(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        """Forget what has ended, and closures that nothing is of."""
        return await self._do(lambda: self._prune(executions, closures, fence))

    def _prune(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        with self._writing(fence) as txn:
            for name in ("records", "changes"):  # so that no number is given twice
                txn.put(name.encode(), b"%d" % self._last(txn, name), db=self._db["meta"])
            count = sum(self._forget(txn, execution) for execution in executions)
            for digest in {*closures} - self._used(txn) if closures else ():
                txn.delete(_hash(digest), db=self._db["closures"])
                txn.delete(_hash(digest), db=self._db["digests"])
        return count

    def _forget(self, txn: lmdb.Transaction, execution: str) -> bool:
        """Forget one execution, if it has ended and its record can be believed."""
        number = txn.get(_hash(execution), db=self._db["numbers"])
        if number is None or txn.get(number, db=self._db["live"]) is not None:
            return False
        record = self._seen(txn, number, execution)
        if record.damaged or not ExecutionPhase(record.phase).terminal:
            return False
        cursor, prefix = txn.cursor(self._db["rows"]), _hash(execution)
        there = cursor.set_range(prefix)
        while there and cursor.key().startswith(prefix):
            there = cursor.delete()  # which goes on to the next
        txn.delete(prefix, db=self._db["snapshots"])
        txn.delete(prefix, db=self._db["numbers"])
        txn.delete(_hash(record.launch_key) + number, db=self._db["keys"])
        txn.delete(number, db=self._db["records"])
        if (change := txn.get(number, db=self._db["changed"])) is not None:
            txn.delete(change, db=self._db["changes"])
            txn.delete(number, db=self._db["changed"])
        return True

    def _used(self, txn: lmdb.Transaction) -> set[str]:
        """The closures that executions are of. Raises JournalDamaged where a record does not say."""
        return {self._record(txn, number).closure for number, _ in txn.cursor(self._db["records"])}

    async def closures(self) -> list[str]:
        """The digests of all closures."""
        return await self._read(lambda txn: [name.decode() for _, name in txn.cursor(self._db["digests"])])

    async def closure(self, digest: str) -> bytes | None:
        """A stored closure."""
        value = await self._read(lambda txn: txn.get(_hash(digest), db=self._db["closures"]))
        return None if value is None else _opened(value, digest)

    async def record(self, execution: str) -> Record | None:
        """One execution; one that is damaged is marked."""

        def look(txn: lmdb.Transaction) -> Record | None:
            number = txn.get(_hash(execution), db=self._db["numbers"])
            return None if number is None else self._seen(txn, number, execution)

        return await self._read(look)

    async def records(
        self, *, live: bool | None = None, launch_key: str | None = None, after: str = "", limit: int = 100
    ) -> list[Record]:
        """Executions, those first that were launched last."""

        def look(txn: lmdb.Transaction) -> list[Record]:
            behind = txn.get(_hash(after), db=self._db["numbers"]) if after else None
            found = []
            for number in self._numbers(txn, live, launch_key, behind):
                if len(found) >= limit:
                    break
                if live is None or (txn.get(number, db=self._db["live"]) is not None) == live:
                    found.append(self._seen(txn, number, ""))
            return found

        return await self._read(look)

    async def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """Executions in the order of what changed last."""

        def look(txn: lmdb.Transaction) -> list[Change]:
            cursor, found = txn.cursor(self._db["changes"]), []
            for key, number in cursor.iternext() if cursor.set_range(struct.pack(">Q", after + 1)) else ():
                if len(found) >= limit:
                    break
                found.append(Change(struct.unpack(">Q", key)[0], self._seen(txn, number, "")))
            return found

        return await self._read(look)

    async def read(self, execution: str, after: int = -1) -> list[Row]:
        """The rows behind a sequence number."""

        def look(txn: lmdb.Transaction) -> list[Row]:
            cursor, prefix, rows = txn.cursor(self._db["rows"]), _hash(execution), []
            for key, value in cursor.iternext() if cursor.set_range(_row(execution, after + 1)) else ():
                if not key.startswith(prefix):
                    break
                (sequence,) = struct.unpack(">Q", key[len(prefix) :])
                rows.append(Row(execution, sequence, _opened(value, f"row {sequence} of {execution}")))
            return rows

        return await self._read(look)

    async def latest(self, execution: str) -> Snapshot | None:
        """The newest snapshot; none where it is damaged."""
        value = await self._read(lambda txn: txn.get(_hash(execution), db=self._db["snapshots"]))
        try:
            found = None if value is None else _opened(value, execution)
        except JournalDamaged:
            return None
        return None if found is None else Snapshot(execution, struct.unpack(">q", found[:8])[0], found[8:])

    async def close(self) -> None:
        """Let go, when what was begun is done."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    def _close(self) -> None:
        if self._env is not None:
            release(self._env)
            self._env = None

    # In the thread

    async def _do(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise JournalUnknown(f"The journal {self._path} is not open.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except lmdb.MapFullError as error:
            raise StorageFull(f"{self._path} may not become larger; see lmdb.map_bytes.") from error
        except lmdb.Error as error:
            if "No space left" in str(error):
                raise StorageFull(f"There is no room for {self._path}.") from error
            raise JournalUnknown(f"{self._path}: {error}") from error

    async def _read(self, look: Callable[[lmdb.Transaction], T]) -> T:
        def work() -> T:
            assert self._env is not None
            with self._env.begin() as txn:
                return look(txn)

        return await self._do(work)

    def _writing(self, fence: int) -> lmdb.Transaction:
        """A transaction of whoever has the newest fence. It is undone where something is raised in it."""
        assert self._env is not None
        if self._reads:
            raise JournalUnknown(f"{self._path} was opened to be read.")
        txn = self._env.begin(write=True)
        if self._fence(txn) != fence:
            txn.abort()
            raise FencedOut(f"Somebody else has opened {self._path}.")
        return txn

    def _fence(self, txn: lmdb.Transaction) -> int:
        return int(txn.get(b"fence", b"0", self._db["meta"]))

    def _next(self, txn: lmdb.Transaction, name: str) -> bytes:
        """A number that was never given, also not to what has been forgotten."""
        return struct.pack(">Q", self._last(txn, name) + 1)

    def _last(self, txn: lmdb.Transaction, name: str) -> int:
        """The last number that was given."""
        cursor = txn.cursor(self._db[name])
        there = int(struct.unpack(">Q", cursor.key())[0]) if cursor.last() else 0
        return max(there, int(txn.get(name.encode(), b"0", self._db["meta"])))

    def _keep(self, txn: lmdb.Transaction, number: bytes, record: Record) -> None:
        txn.put(number, _sealed(msgspec.msgpack.encode(record)), db=self._db["records"])
        change = self._next(txn, "changes")  # before the last one is gone: no number is given twice
        if (before := txn.get(number, db=self._db["changed"])) is not None:
            txn.delete(before, db=self._db["changes"])
        txn.put(change, number, db=self._db["changes"])
        txn.put(number, change, db=self._db["changed"])
        if ExecutionPhase(record.phase).terminal:
            txn.delete(number, db=self._db["live"])
        else:
            txn.put(number, b"", db=self._db["live"])

    def _record(self, txn: lmdb.Transaction, number: bytes) -> Record:
        data = _opened(txn.get(number, db=self._db["records"]), "a record")
        return msgspec.msgpack.decode(data, type=Record)

    def _seen(self, txn: lmdb.Transaction, number: bytes, execution: str) -> Record:
        try:
            return self._record(txn, number)
        except (JournalDamaged, msgspec.DecodeError):
            return Record(execution, "", "", b"", "", 0.0, "", damaged=True)

    def _numbers(
        self, txn: lmdb.Transaction, live: bool | None, launch_key: str | None, behind: bytes | None
    ) -> Iterator[bytes]:
        """Of launches, the last first: all, those that live, or those of a key, before the launch `behind`."""
        prefix = b"" if launch_key is None else _hash(launch_key)
        name = "keys" if prefix else "live" if live else "records"
        cursor = txn.cursor(self._db[name])
        end = prefix + (behind or b"\xff" * 8)
        there = cursor.prev() if cursor.set_range(end) else cursor.last()
        while there and cursor.key().startswith(prefix):
            yield cursor.key()[len(prefix) :]
            there = cursor.prev()


def _hash(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _row(execution: str, sequence: int) -> bytes:
    return _hash(execution) + struct.pack(">Q", sequence)


def _sealed(data: bytes) -> bytes:
    return struct.pack(">I", crc32(data)) + data


def _opened(value: bytes, what: str) -> bytes:
    if len(value) < 4 or struct.unpack(">I", value[:4])[0] != crc32(value[4:]):
        raise JournalDamaged(f"The journal has other bytes than were written: {what}.")
    return value[4:]
