"""The file of the admin: its tables, its format, and how it is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from wingbeat.base.errors import ConfigurationError

FORMAT = 1
"""Version of the file's format: the number of steps in `_STEPS`."""
BUSY_S = 10.0
"""For so long another process may hold the file: a command that registers or lists."""

SERVED_BUSY_S = 1.0
"""For so long where that is a server: it stays."""
SERVER_FILE = "server"
"""Beside the file: URL and process id of the server that works with it."""

_STEPS = (
    # `entities` holds what was registered; what is in `body` and `closures` decides, the other columns are what queries ask by.
    # `due` holds what triggers have decided on and what is still to be launched. `executions` is the history, projected from the
    # engine up to the change `cursor` in `meta`.
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('cursor', 0);
    CREATE TABLE closures (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE entities (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
        kind TEXT NOT NULL, digest TEXT NOT NULL, closure TEXT NOT NULL, body BLOB NOT NULL,
        UNIQUE (project, domain, name, version)
    );
    CREATE INDEX entities_by_kind ON entities (kind, project, domain, number);
    CREATE TABLE active (
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL,
        version TEXT NOT NULL, since REAL NOT NULL, watched TEXT NOT NULL,
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE INDEX active_by_watched ON active (watched) WHERE watched != '';
    CREATE TABLE due (
        execution TEXT PRIMARY KEY, entity TEXT NOT NULL, cause TEXT NOT NULL, decided_at REAL NOT NULL,
        failed TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, phase TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL,
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, entity TEXT NOT NULL, cause TEXT NOT NULL,
        labels BLOB NOT NULL
    );
    CREATE INDEX executions_by_place ON executions (project, domain, number);
    CREATE INDEX executions_by_phase ON executions (project, domain, phase, number);
    CREATE INDEX executions_by_name ON executions (project, domain, name, number);
    CREATE INDEX executions_by_entity ON executions (entity, number);
    """,
)

_APPLICATION_ID = 0x57424144  # "WBAD", by which `file` and we tell it from other databases


def open_file(path: Path) -> sqlite3.Connection:
    """A connection that has the file for itself: one process writes it, and reads it.

    Raises:
        ConfigurationError: Another process has it, it is no admin's, was written by a newer version, or cannot be used.
    """
    server = server_of(path)
    try:
        db = sqlite3.connect(
            path, timeout=SERVED_BUSY_S if server else BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise ConfigurationError(f"The admin's file {path} cannot be opened: {error}.") from error
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        if "locked" in str(error):
            raise _taken(path, server or server_of(path)) from error
        raise ConfigurationError(f"The admin's file {path} cannot be used: {error}.") from error
    except BaseException:
        db.close()
        raise
    return db


def server_of(path: Path) -> str:
    """The URL of the server that works with the file; empty if none does."""
    with contextlib.suppress(OSError, ValueError):
        url, pid = path.with_name(SERVER_FILE).read_text().split()
        os.kill(int(pid), 0)
        return url
    return ""


@contextlib.contextmanager
def served(folder: Path, url: str) -> Iterator[None]:
    """While it is entered, those who find the file in use are told that this process serves it at the URL."""
    file = folder / SERVER_FILE
    file.write_text(f"{url} {os.getpid()}\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _taken(path: Path, server: str) -> ConfigurationError:
    if server:
        return ConfigurationError(
            f"'wingbeat serve' works with the admin's file {path}, at {server}.",
            hint=f"Work with it: set WINGBEAT_ENDPOINT={server}, or give --endpoint {server}.",
        )
    return ConfigurationError(
        f"Another process works with the admin's file {path}.",
        hint="A command or a program that stays. With 'wingbeat serve' many work at once, by WINGBEAT_ENDPOINT or --endpoint.",
    )


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("BEGIN EXCLUSIVE")
    try:
        found = _format_of(db, path)
        for step in _STEPS[found:]:
            for statement in step.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def _format_of(db: sqlite3.Connection, path: Path) -> int:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION_ID and (found or tables):
        raise ConfigurationError(f"{path} is no file of an admin.", hint="Move it away, or use another home.")
    if found > FORMAT:
        raise ConfigurationError(
            f"The admin's file {path} has the format {found}; this Wingbeat reads formats up to {FORMAT}.",
            hint="Upgrade wingbeat-admin, or use another home.",
        )
    return int(found)
