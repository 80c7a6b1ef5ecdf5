"""What is offered: the storage ``fsspec``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home


class FsspecSettings(Struct, frozen=True):
    """Where content is kept.

    Attributes:
        url: A folder, as fsspec names it: ``s3://bucket/folder``. By default one in the home.
    """

    url: str = ""


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"fsspec": FsspecSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the storage."""
    registrar.storage("fsspec", "acme_fsspec.storage:FsspecStorage", arguments)


def arguments(home: Home) -> dict[str, str]:
    """What the storage of a home is constructed with."""
    url = home.settings("fsspec", FsspecSettings).url
    return {"url": url or f"file://{home.path}/fsspec", "cache": f"{home.path}/fsspec-cache"}
