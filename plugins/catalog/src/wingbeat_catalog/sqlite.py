"""The catalog in a SQLite file."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.catalog import CacheEntry, CacheKey, Evicted, Explanation, Reserved
from wingbeat.contracts.failpoints import hit
from wingbeat_catalog.explain import explain_expired, explain_hit, explain_miss, explain_nothing, nearest_key
from wingbeat_catalog.schema import open_file

if TYPE_CHECKING:
    import aiosqlite

P = ParamSpec("P")
T = TypeVar("T")

SWEEP_EVERY = 256
"""Publications after which what is too much or too old is dropped; also after a tenth of the limit, and at the end."""

EXPIRED_KEPT_S = 7 * 86400.0
"""For this long an expired entry stays, so that `explain` can say that it expired."""

HELD_S_MAX = 86400.0
"""No reservation is believed to last longer: a flipped bit could make it last for ever."""

COMPARED_MAX = 25
"""A miss is compared with so many entries of its task, the newest, and as many that had equal inputs."""

_USED_MAX = 512

_NEAR = """
    SELECT body FROM (SELECT * FROM entries WHERE task = :task AND inputs = :inputs ORDER BY created_at DESC LIMIT :max)
    UNION ALL
    SELECT body FROM (SELECT * FROM entries WHERE task = :task ORDER BY created_at DESC LIMIT :max)
"""

_LOOKUP = "SELECT body, checksum FROM entries WHERE digest = ? AND (expires_at IS NULL OR expires_at > ?)"

# One statement compares and sets, so that of many who ask at once exactly one is granted.
_RESERVE = """
    INSERT INTO reservations (digest, owner, until) VALUES (:digest, :owner, :until)
    ON CONFLICT (digest) DO UPDATE SET
        owner = CASE WHEN until <= :now OR until > :far THEN excluded.owner ELSE owner END,
        until = CASE WHEN until <= :now OR until > :far OR owner = excluded.owner THEN excluded.until ELSE until END
    RETURNING owner, until
"""

# An entry that has expired is no longer in the way of a new one.
_PUBLISH = """
    INSERT INTO entries (digest, task, inputs, created_at, expires_at, used_at, size, body, checksum)
    VALUES (:digest, :task, :inputs, :created_at, :expires_at, :now, :size, :body, :checksum)
    ON CONFLICT (digest) DO UPDATE SET
        created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = excluded.used_at,
        size = excluded.size, body = excluded.body, checksum = excluded.checksum
    WHERE :overwrite OR entries.expires_at <= :now
"""

_USED = """
    UPDATE entries SET used_at = max(used_at, used.value) FROM json_each(?) AS used WHERE entries.digest = used.key
"""

# Which entries an eviction is about, and of these all but the most recently used that together are at most `size_max`.
_EVICT = """
    DELETE FROM entries WHERE digest IN (
        SELECT digest FROM (
            SELECT digest, sum(size) OVER (ORDER BY used_at DESC, digest ROWS UNBOUNDED PRECEDING) AS total
            FROM entries
            WHERE (:digest IS NULL OR digest = :digest) AND (:task IS NULL OR task = :task)
                AND (:before IS NULL OR created_at < :before)
        ) WHERE :size_max IS NULL OR total > :size_max
    ) RETURNING size
"""

_STALE = """
    FROM entries WHERE used_at < :before
    AND NOT EXISTS (SELECT 1 FROM reservations WHERE reservations.digest = entries.digest AND until > :now)
"""
_COUNT_STALE = f"SELECT count(*), coalesce(sum(size), 0) {_STALE}"
_TRIM = f"DELETE FROM entries WHERE digest IN (SELECT digest {_STALE} ORDER BY used_at LIMIT :limit) RETURNING size"


class _Keyed(msgspec.Struct):
    """An entry without its outputs, which a comparison need not read."""

    key: CacheKey


_keyed = msgspec.json.Decoder(_Keyed)
_entry = msgspec.json.Decoder(CacheEntry)
_json = msgspec.json.Encoder()
_log = logging.getLogger("wingbeat.catalog")


class SqliteCatalog:
    """A `wingbeat.contracts.catalog.Catalog` in one SQLite file.

    The process that holds the home opens it for writing, once: SQLite up to 3.51.2 may damage a file that two
    connections write and checkpoint at the same time. Others read it with `read_only`.

    Args:
        path: The file. It is created, its folder is not.

        size_max: Bytes of results above which the least recently used entries are dropped, in steps; None keeps all.

        read_only: Only `lookup` and `explain` are going to be called.

        clock: What time it is, in epoch seconds.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        size_max: int | None = None,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._size_max, self._read_only, self._clock = Path(path), size_max, read_only, clock
        self._connection: aiosqlite.Connection | None = None
        self._used: dict[str, float] = {}
        self._published = self._published_bytes = 0

    async def start(self) -> None:
        """Open the file. Raises `ConfigurationError` if it cannot be used."""
        self._connection = await open_file(self._path, read_only=self._read_only)
        hit("catalog.opened")

    async def close(self) -> None:
        """Write down what was used, and close the file."""
        if self._connection is None:
            return
        try:
            await self._write_used()
            if self._published:
                await self._sweep()
        finally:
            connection, self._connection = self._connection, None
            await connection.close()

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """The entry under `key`, unless it has expired. One that is damaged is removed: it is a miss."""
        now = self._clock()
        hit("catalog.lookup")
        row = await self._at_once(self._look, key.digest, now)
        if row is None:
            return None
        entry = _read(*row)
        if entry is None or entry.key.digest != key.digest:
            _log.warning("The entry %s in %s is damaged and is dropped.", key.digest, self._path)
            if not self._read_only:
                await self._all("DELETE FROM entries WHERE digest = ? AND checksum = ?", (key.digest, row[1]))
            return None
        if entry.expires_at is not None and entry.expires_at <= now:  # whatever the column says
            return None
        if len(self._used) >= _USED_MAX:
            await self._write_used()
        return entry

    def _look(self, db: sqlite3.Connection, digest: str, now: float) -> tuple[Any, Any] | None:
        """What is found, and that it was used: noted in the connection's thread, in its turn among others that remove what is not.

        A lookup must not wait for a write: that the entry was used is kept in memory and written with others. What a crash loses
        of it only makes an eviction by use a little less fair.
        """
        row: tuple[Any, Any] | None = db.execute(_LOOKUP, (digest, now)).fetchone()
        if row is not None and not self._read_only:
            self._used[digest] = now
        return row

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """Ask to be the one that computes `key`, or to be it for longer."""
        now = self._clock()
        far = now + max(seconds, HELD_S_MAX)
        values = {"digest": key.digest, "owner": owner, "until": now + seconds, "now": now, "far": far}
        ((holder, until),) = await self._write(_RESERVE, values)
        hit("catalog.reserved")
        return Reserved(holder, until)

    async def release(self, key: CacheKey, owner: str) -> None:
        """Give a reservation back, if `owner` holds it."""
        await self._write("DELETE FROM reservations WHERE digest = ? AND owner = ?", (key.digest, owner))

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """Store an entry: the first one wins unless `overwrite`. Ends the reservation of the attempt's node."""
        body = _json.encode(entry)
        values = {
            "digest": entry.key.digest,
            "task": entry.key.task,
            "inputs": _inputs(entry.key),
            "created_at": entry.created_at,
            "expires_at": entry.expires_at,
            "size": entry.size,
            "body": body,
            "checksum": _checksum(body),
            "now": self._clock(),
            "overwrite": overwrite,
        }
        self._check_writable()
        node = entry.source.rpartition("/")[0] or entry.source
        await self._at_once(self._store, values, (entry.key.digest, entry.source, node))
        self._published += 1
        self._published_bytes += entry.size
        much = self._size_max is not None and self._published_bytes > self._size_max // 10
        if much or self._published >= SWEEP_EVERY:
            await self._sweep()

    def _store(self, db: sqlite3.Connection, entry: dict[str, Any], reservation: tuple[str, str, str]) -> None:
        _publish(db, entry, reservation)
        self._used[entry["digest"]] = entry["now"]  # also where another one was first

    async def evict(
        self,
        *,
        digest: str | None = None,
        task: str | None = None,
        older_than_s: float | None = None,
        size_max: int | None = None,
    ) -> Evicted:
        """Remove the entries that all of `digest`, `task` and `older_than_s` select, where given.

        With `size_max` the most recently used of them stay, as many as together have at most that size. With nothing
        given nothing is removed.
        """
        if digest is None and task is None and older_than_s is None and size_max is None:
            return Evicted(0, 0)
        await self._write_used()
        before = None if older_than_s is None else self._clock() - older_than_s
        values = {"digest": digest, "task": task, "before": before, "size_max": size_max}
        sizes = await self._write(_EVICT, values)
        return Evicted(len(sizes), sum(size for (size,) in sizes))

    async def stale(self, unused_s: float) -> Evicted:
        """How many entries were last used longer ago than that, of keys that are not reserved, and their bytes."""
        await self._write_used()
        now = self._clock()
        ((count, size),) = await self._all(_COUNT_STALE, {"before": now - unused_s, "now": now})
        return Evicted(count, size)

    async def trim(self, unused_s: float, limit: int) -> Evicted:
        """Remove at most so many of those, the least recently used first."""
        self._check_writable()
        now = self._clock()
        sizes = await self._at_once(self._trim, {"before": now - unused_s, "now": now, "limit": limit})
        return Evicted(len(sizes), sum(sizes))

    def _trim(self, db: sqlite3.Connection, values: dict[str, Any]) -> list[int]:
        self._note_used(db)  # what was looked up before its turn stays
        hit("catalog.trimming")
        return [size for (size,) in db.execute(_TRIM, values).fetchall()]

    async def explain(self, key: CacheKey) -> Explanation:
        """Why `key` hits or misses now."""
        return await self._at_once(_explain, key, self._clock())

    async def _sweep(self) -> None:
        """Drop what has expired long ago and what is over the limit, down to a tenth below it."""
        self._published = self._published_bytes = 0
        now = self._clock()
        await self._write("DELETE FROM entries WHERE expires_at <= ?", (now - EXPIRED_KEPT_S,))
        await self._write("DELETE FROM reservations WHERE until <= ?", (now,))
        if self._size_max is not None:
            ((size,),) = await self._all("SELECT coalesce(sum(size), 0) FROM entries", ())
            if size > self._size_max:
                await self.evict(size_max=self._size_max * 9 // 10)

    async def _write_used(self) -> None:
        if self._used:
            self._check_writable()
            await self._at_once(self._note_used)

    def _note_used(self, db: sqlite3.Connection) -> None:
        used, self._used = self._used, {}
        if used:
            db.execute(_USED, (_json.encode(used).decode(),))

    async def _write(self, sql: str, values: Any) -> list[Any]:
        self._check_writable()
        return await self._all(sql, values)

    async def _all(self, sql: str, values: Any) -> list[Any]:
        return list(await self._open.execute_fetchall(sql, values))

    async def _at_once(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **_: P.kwargs) -> T:
        """Do several statements in one hop to the connection's thread, of which each costs more than most statements.

        What was begun there is ended, also when whoever waits for it is cancelled.
        """
        db = self._open
        # aiosqlite has no public way to its thread.
        return cast(T, await db._execute(work, db._conn, *args))  # type: ignore[no-untyped-call]  # noqa: SLF001

    @property
    def _open(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise ConfigurationError(f"The catalog {self._path} is not open.")
        return self._connection

    def _check_writable(self) -> None:
        if self._read_only:
            raise ConfigurationError(f"The catalog {self._path} was opened for reading only.")


def _publish(db: sqlite3.Connection, entry: dict[str, Any], reservation: tuple[str, str, str]) -> None:
    """Store an entry and end the reservation that it was computed under, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_PUBLISH, entry)
        hit("catalog.entry-written")
        db.execute("DELETE FROM reservations WHERE digest = ? AND owner IN (?, ?)", reservation)
        hit("catalog.publishing")
        db.execute("COMMIT")
        hit("catalog.published")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def _explain(db: sqlite3.Connection, key: CacheKey, now: float) -> Explanation:
    entry = _found(db, key.digest)
    if entry is not None:
        counts = entry.expires_at is None or entry.expires_at > now
        return explain_hit(entry) if counts else explain_expired(entry, now)
    near = {"task": key.task, "inputs": _inputs(key), "max": COMPARED_MAX}
    keys = [_key_of(body) for (body,) in db.execute(_NEAR, near)]
    nearest = nearest_key(key, [other for other in keys if other is not None and other.digest != key.digest])
    entry = _found(db, nearest.digest) if nearest is not None else None
    return explain_nothing(key) if entry is None else explain_miss(key, entry)


def _found(db: sqlite3.Connection, digest: str) -> CacheEntry | None:
    row = db.execute("SELECT body, checksum FROM entries WHERE digest = ?", (digest,)).fetchone()
    return _read(*row) if row else None


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _inputs(key: CacheKey) -> bytes:
    return _checksum(msgspec.json.encode(key.inputs, order="sorted"))


def _key_of(body: bytes) -> CacheKey | None:
    try:
        return _keyed.decode(body).key
    except (
        msgspec.MsgspecError,
        ValueError,
        TypeError,
    ):  # damaged; its checksum is not asked here because it is over the outputs too
        return None


def _read(body: object, checksum: object) -> CacheEntry | None:
    """The entry, or None if its bytes are not those that were written."""
    if not isinstance(body, bytes) or _checksum(body) != checksum:
        return None
    return _entry.decode(body)
