"""The file: its tables, its format version, and how it is opened."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from wingbeat.base.errors import ConfigurationError

FORMAT = 1
"""Version of the file's format: the number of steps in `_STEPS`."""

_STEPS = (
    # `body` is the whole entry as JSON, `checksum` is over it. The other columns are what queries ask by (`inputs` is a
    # digest of the inputs of the key). `used_at` is
    # written late (see `SqliteCatalog.lookup`), so it may lag behind.
    """
    CREATE TABLE entries (
        digest TEXT PRIMARY KEY,
        task TEXT NOT NULL,
        inputs BLOB NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL,
        used_at REAL NOT NULL,
        size INTEGER NOT NULL,
        body BLOB NOT NULL,
        checksum BLOB NOT NULL
    );
    CREATE INDEX entries_by_task ON entries (task, created_at);
    CREATE INDEX entries_by_inputs ON entries (task, inputs, created_at);
    CREATE INDEX entries_by_use ON entries (used_at, digest, size);
    CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE reservations (digest TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
    """,
)

_APPLICATION_ID = 0x57424341  # "WBCA", by which `file` and we tell it from other databases
_MOVE = "Move the file away and start again: what is lost are remembered results, which are computed anew."


async def open_file(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """A connection to the catalog's file, which is created or brought up to date if need be (not if only read).

    Raises:
        ConfigurationError: It is not a catalog, was written by a newer version, or cannot be used.
    """
    try:
        # Asked first, because a connection that cannot be opened leaves its thread to end by itself.
        await asyncio.to_thread(_touch, path, read_only)
    except OSError as error:
        raise ConfigurationError(f"The catalog {path} cannot be opened: {error.strerror}.") from error
    uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"
    # Autocommit: each statement is a transaction of its own, so a cancelled call cannot leave one open.
    db = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=10.0)
    db.text_factory = _text
    try:
        await _prepare(db, path, read_only=read_only)
    except sqlite3.Error as error:
        await db.close()
        raise ConfigurationError(f"The catalog {path} cannot be used: {error}.", hint=_MOVE) from error
    except BaseException:
        await db.close()
        raise
    return db


def _text(data: bytes) -> str:
    """Text that is damaged is other text, and no reason to fail."""
    return data.decode(errors="replace")


def _touch(path: Path, read_only: bool) -> None:
    with path.open("rb" if read_only else "ab"):
        pass


async def _prepare(db: aiosqlite.Connection, path: Path, *, read_only: bool) -> None:
    version = await _pragma(db, "user_version")
    owner = await _pragma(db, "application_id")
    ((tables,),) = await db.execute_fetchall("SELECT count(*) FROM sqlite_master")
    if owner != _APPLICATION_ID and (owner or version or tables):
        raise ConfigurationError(f"{path} is a database, but not a catalog of Wingbeat.", hint="Move it away.")
    if version > FORMAT:
        raise ConfigurationError(
            f"The catalog {path} has format {version}; this wingbeat-catalog knows formats up to {FORMAT}.",
            hint="Upgrade wingbeat-catalog.",
        )
    if read_only:
        if version < FORMAT:
            raise ConfigurationError(f"The catalog {path} has format {version} and was opened for reading only.")
        return
    # NORMAL does not wait for the disk at each commit. A power cut may take back the last of them, in order, and never
    # damages the file: a lost entry is a miss, a lost eviction or overwrite leaves an entry that is as true as before.
    await db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;")
    if version < FORMAT:
        steps = "".join(_STEPS[version:])
        mark = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
        await db.executescript(f"BEGIN IMMEDIATE; {steps} {mark} COMMIT;")


async def _pragma(db: aiosqlite.Connection, name: str) -> int:
    ((value,),) = await db.execute_fetchall(f"PRAGMA {name}")
    return int(value)
