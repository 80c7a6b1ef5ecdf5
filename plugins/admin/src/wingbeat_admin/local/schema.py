"""The file of the admin: its tables, its format, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wingbeat.base.errors import ConfigurationError
from wingbeat.spec.identity import version_key
from wingbeat.spec.valuefilter import number_of
from wingbeat_admin.local import (
    artifacts,
    audit,
    backfills,
    grants,
    history,
    inventory,
    quotas,
    references,
    refusals,
    sorting,
)

BUSY_S = 10.0
"""For so long another process may hold the file: a command that registers or lists."""

_STEPS = (
    # `entities` holds what was registered; what is in `body` and `closures` decides, the other columns are what queries ask by.
    # `due` holds what triggers have decided on and what is still to be launched; one with `serial` stays until its execution has
    # ended. `executions` is the history, projected from the engine up to the change `cursor` in `meta`.
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
        version TEXT NOT NULL, since REAL NOT NULL, watched TEXT NOT NULL, next REAL, paused TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (project, domain, name)
    ) WITHOUT ROWID;
    CREATE INDEX active_by_watched ON active (watched) WHERE watched != '';
    CREATE INDEX active_by_next ON active (next) WHERE next IS NOT NULL;
    CREATE TABLE due (
        execution TEXT PRIMARY KEY, entity TEXT NOT NULL, plan TEXT NOT NULL, cause TEXT NOT NULL, tick REAL, at REAL NOT NULL,
        serial INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', failed TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX due_by_state ON due (state, at);
    CREATE INDEX due_by_plan ON due (plan, state) WHERE serial;
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, phase TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL,
        project TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, entity TEXT NOT NULL, cause TEXT NOT NULL,
        labels BLOB NOT NULL
    );
    CREATE INDEX executions_by_project ON executions (project, number);
    CREATE INDEX executions_by_domain ON executions (domain, number);
    CREATE INDEX executions_by_any_phase ON executions (phase, number);
    CREATE INDEX executions_by_place ON executions (project, domain, number);
    CREATE INDEX executions_by_phase ON executions (project, domain, phase, number);
    CREATE INDEX executions_by_name ON executions (project, domain, name, number);
    CREATE INDEX executions_by_entity ON executions (entity, number);
    """,
    artifacts.SCHEMA + history.SCHEMA,
    # `notices` holds what was decided to tell, from `since` on sent at `at`, and what has become of it; `deadlines` those of
    # executions that have not ended. What has been before `told_since` is not told: a file that is made anew tells nothing again.
    """
    INSERT INTO meta VALUES ('told_since', (julianday('now') - 2440587.5) * 86400.0);
    CREATE TABLE notices (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, execution TEXT NOT NULL, project TEXT NOT NULL, domain TEXT NOT NULL,
        body BLOB NOT NULL, since REAL NOT NULL, at REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
        tries INTEGER NOT NULL DEFAULT 0, failed TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX notices_that_wait ON notices (channel, at) WHERE state = 'waiting';
    CREATE INDEX notices_by_state ON notices (state, at);
    CREATE INDEX notices_by_execution ON notices (execution, number);
    CREATE INDEX notices_by_place ON notices (project, domain, number);
    CREATE TABLE deadlines (
        execution TEXT NOT NULL, channel TEXT NOT NULL, after_s REAL NOT NULL, at REAL NOT NULL, told INTEGER NOT NULL,
        PRIMARY KEY (execution, channel, after_s)
    ) WITHOUT ROWID;
    CREATE INDEX deadlines_to_come ON deadlines (at) WHERE told = 0;
    """,
    # `apikeys` holds the hashes of keys, `grants` who has which role where; `audit` is only added to, and swept by age.
    """
    CREATE TABLE apikeys (
        name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, created_at REAL NOT NULL, by TEXT NOT NULL,
        expires_at REAL
    ) WITHOUT ROWID;
    CREATE TABLE grants (
        principal TEXT NOT NULL, project TEXT NOT NULL, domain TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY (principal, project, domain)
    ) WITHOUT ROWID;
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL,
        project TEXT NOT NULL, domain TEXT NOT NULL, address TEXT NOT NULL, request TEXT NOT NULL
    );
    CREATE INDEX audit_by_at ON audit (at);
    CREATE INDEX audit_by_principal ON audit (principal, number);
    CREATE INDEX audit_by_place ON audit (project, domain, number);
    """,
    quotas.SCHEMA,
    audit.CHAIN,
    grants.LIMITS,
    backfills.SCHEMA,
    refusals.SCHEMA,
    backfills.TOLD,
    references.SCHEMA,
    artifacts.DIGESTS,
    sorting.SCHEMA,
    inventory.SORTED,
    history.TIMES,
    artifacts.CHILDREN,
    inventory.LAUNCHING,
    history.RUNS,
)
FORMAT = len(_STEPS)
"""Version of the file's format."""

_APPLICATION_ID = 0x57424144  # "WBAD", by which `file` and we tell it from other databases


def open_file(path: Path) -> sqlite3.Connection:
    """A connection that has the file for itself: one process writes it, and reads it.

    Raises:
        ConfigurationError: Another process has it, it is no admin's, was written by a newer version, or cannot be used.
    """
    try:
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ConfigurationError(f"The admin's file {path} cannot be opened: {error}.") from error
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        if "locked" in str(error):
            raise ConfigurationError(
                f"Another process works with the admin's file {path}.",
                hint="A program that keeps its kernel's admin open, or a command that takes long: let it end, or go through it.",
            ) from error
        raise ConfigurationError(f"The admin's file {path} cannot be used: {error}.") from error
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("BEGIN EXCLUSIVE")
    try:
        db.create_function("version_key", 1, version_key, deterministic=True)
        db.create_function("number_of", 1, number_of, deterministic=True)
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
