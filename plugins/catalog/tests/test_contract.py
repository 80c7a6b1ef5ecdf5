"""The catalog in SQLite keeps the contract of catalogs."""

import pytest

from wingbeat.testing.conformance.catalog import CatalogContract, CatalogFactory
from wingbeat_catalog import SqliteCatalog


class TestSqliteCatalog(CatalogContract):
    shared = False  # one process holds the home

    @pytest.fixture
    def catalog_factory(self) -> CatalogFactory:
        return lambda folder, clock: SqliteCatalog(folder / "catalog.sqlite", clock=clock)
