"""What the catalog offers to the kernel: its hook implementations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat_catalog.settings import CatalogSettings

if TYPE_CHECKING:
    from wingbeat.contracts.catalog import Catalog
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts; reads the section ``catalog``."""
    return PluginInfo(api=(0, 1), settings={"catalog": CatalogSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the catalog under the name ``sqlite``."""
    registrar.catalog("sqlite", _sqlite)


def _sqlite(home: Home) -> Catalog:
    from wingbeat_catalog.sqlite import SqliteCatalog  # a kernel without a catalog need not load it

    settings = home.settings("catalog", CatalogSettings)
    return SqliteCatalog(Path(home.path, "catalog.sqlite"), size_max=settings.size_max_bytes())
