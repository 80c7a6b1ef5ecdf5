"""What is offered: the admin ``ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.engine import Engine
    from wingbeat.contracts.home import Home


class LedgerSettings(Struct, frozen=True):
    """Where the inventory is.

    Attributes:
        folder: Of its files, as one under version control; from the home, if it is relative.
    """

    folder: str = "ledger"


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"ledger": LedgerSettings}, kits=("acme_ledger.kits:TestAdmin",))


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the admin."""
    registrar.admin("ledger", make)


def make(home: Home, engine: Engine) -> Admin:
    """The admin of a home."""
    from acme_ledger.admin import LedgerAdmin

    folder = home.settings("ledger", LedgerSettings).folder
    return LedgerAdmin(Path(home.path), Path(home.path, folder), engine, home.storage())
