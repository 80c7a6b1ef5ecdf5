"""The catalog of Wingbeat: what a task has computed before need not be computed again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat_catalog.settings import CatalogSettings
    from wingbeat_catalog.sqlite import SqliteCatalog

__all__ = ["CatalogSettings", "SqliteCatalog"]

_HOMES = {"CatalogSettings": "wingbeat_catalog.settings", "SqliteCatalog": "wingbeat_catalog.sqlite"}


def __getattr__(name: str) -> Any:
    """Import on use: whoever only asks what is installed does not pay for a database."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
