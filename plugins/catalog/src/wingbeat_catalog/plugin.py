"""What the catalog offers to the kernel: its hook implementations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl

if TYPE_CHECKING:
    from wingbeat.contracts.catalog import Catalog
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the catalog under the name ``sqlite``."""
    registrar.catalog("sqlite", _sqlite)
    registrar.section("catalog")


def _sqlite(home: Home) -> Catalog:
    from wingbeat_catalog.settings import CatalogSettings  # a kernel without a catalog need not load it
    from wingbeat_catalog.sqlite import SqliteCatalog  # as above

    settings = home.settings("catalog", CatalogSettings)
    return SqliteCatalog(Path(home.path, "catalog.sqlite"), size_max=settings.size_max_bytes())
