"""What is in the box, offered through the same hooks as anybody's plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from msgspec import Struct

    from wingbeat.contracts.home import Home

KITS = tuple(
    f"wingbeat.testing.conformance.builtin:{name}"
    for name in ("TestLog", "TestUvEnvironments", "TestEnvironmentSource", "TestFileSource")
)


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """See the hook."""
    from wingbeat.builtin.process.settings import ProcessSettings
    from wingbeat.builtin.settings import JournalSettings, LogSettings, SecretSettings

    settings: dict[str, type[Struct]] = {
        "journal": JournalSettings, "log": LogSettings, "process": ProcessSettings, "secrets": SecretSettings,
    }  # fmt: skip
    return PluginInfo(api=(0, 1), settings=settings, kits=KITS)


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """See the hook."""
    registrar.journal("sqlite", _journal)
    registrar.storage("store", "wingbeat.builtin.filestore:FileStore", _store)
    registrar.environments("uv", _environments)
    registrar.executor("process", _process)
    registrar.observer("log", _log)
    registrar.secrets("environment", "wingbeat.builtin.secrets:EnvironmentSource")
    registrar.secrets("file", "wingbeat.builtin.secrets:FileSource", _files)


def _journal(home: Home) -> Any:
    from wingbeat.builtin.settings import JournalSettings
    from wingbeat.builtin.sqlite import SQLiteJournal

    return SQLiteJournal(Path(home.path) / "journal.sqlite", home.settings("journal", JournalSettings))


def _store(home: Home) -> dict[str, Any]:
    return {"root": str(Path(home.path) / "storage")}


def _environments(home: Home) -> Any:
    from wingbeat.builtin.environments import UvEnvironments

    return UvEnvironments(home.storage(), cache_dir=str(Path(home.path) / "bundles"))


def _process(home: Home) -> Any:
    from wingbeat.builtin.process.plugin import make

    return make(home)


def _log(home: Home) -> Any:
    from wingbeat.builtin.settings import LogSettings

    settings = home.settings("log", LogSettings)
    if settings.format == "off":
        return None
    from wingbeat.builtin.log import LogObserver

    return LogObserver(settings, home.path)


def _files(home: Home) -> dict[str, Any]:
    from wingbeat.builtin.secrets import file_settings
    from wingbeat.builtin.settings import SecretSettings

    return file_settings(home.settings("secrets", SecretSettings))
