"""What is in the box, offered through the same hooks as anybody's plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wingbeat.contracts.hookspecs import Registrar, hookimpl

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """See the hook."""
    registrar.journal("sqlite", _journal)
    registrar.storage("store", _storage)
    registrar.executor("process", _process)
    for section in ("journal", "process"):
        registrar.section(section)


def _journal(home: Home) -> Any:
    from wingbeat.builtin.sqlite import JournalSettings, SQLiteJournal

    return SQLiteJournal(Path(home.path) / "journal.sqlite", home.settings("journal", JournalSettings))


def _storage(home: Home) -> Any:
    from wingbeat.builtin.filestore import FileStore

    return FileStore(str(Path(home.path) / "storage"))


def _process(home: Home) -> Any:
    from wingbeat.builtin.process.plugin import make

    return make(home)
