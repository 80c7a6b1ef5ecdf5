"""The catalog in SQLite keeps the contract of catalogs."""

from pathlib import Path

from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.catalog_trim import TrimContract
from wingbeat_catalog import SqliteCatalog


class TestSqliteCatalog(CatalogContract, TrimContract):
    shared = False  # one process holds the home

    def make(self, home, clock):
        return SqliteCatalog(Path(home.path, "catalog.sqlite"), clock=clock)
