"""What is offered: the journal ``lmdb``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.journal import Journal


class LmdbSettings(Struct, frozen=True):
    """How the journal is kept.

    Attributes:
        map_bytes: How large its file may become.
    """

    map_bytes: int = 2**36


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"lmdb": LmdbSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the journal."""
    registrar.journal("lmdb", make)


def make(home: Home) -> Journal:
    """The journal of a home."""
    from acme_lmdb.journal import LmdbJournal

    return LmdbJournal(f"{home.path}/journal.lmdb", home.settings("lmdb", LmdbSettings).map_bytes)
