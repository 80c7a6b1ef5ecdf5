"""The catalog in SQLite keeps the contract of catalogs."""

from pathlib import Path

import pytest

from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.catalog_trim import TrimContract
from wingbeat.testing.conformance.registered import kit
from wingbeat_catalog import SqliteCatalog


@pytest.mark.long
class TestTrimsByTheMachinesClock(TrimContract):
    """As `wingbeat plugins check catalog` tests it, which has no other clock to give."""

    injects_clock = False

    def make(self, home, clock):
        return SqliteCatalog(Path(home.path, "catalog.sqlite"))


def test_it_is_tested_by_its_name():
    assert issubclass(kit("wingbeat_catalog.plugin", "catalog", "sqlite"), TrimContract)


class TestSqliteCatalog(CatalogContract, TrimContract):
    shared = False  # one process holds the home

    def make(self, home, clock):
        return SqliteCatalog(Path(home.path, "catalog.sqlite"), clock=clock)
