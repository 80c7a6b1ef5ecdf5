"""What the kernel sees of the catalog."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import settings
from wingbeat_catalog import SqliteCatalog, plugin
from wingbeat_catalog.settings import CatalogSettings


class Home:
    def __init__(self, path: Path, **settings: Any) -> None:
        self.path, self.given = str(path), settings

    def settings(self, section: str, struct: type) -> Any:
        assert section == "catalog"
        return struct(**self.given)

    def storage(self, scheme: str = "file") -> Any:
        raise NotImplementedError


class Registrar:
    def __init__(self) -> None:
        self.factories: dict[str, Any] = {}

    def catalog(self, name: str, factory: Any) -> None:
        self.factories[name] = factory


def test_it_says_which_section_of_the_settings_it_reads():
    assert plugin.wingbeat_plugin().settings == {"catalog": CatalogSettings}


def registered() -> dict[str, Any]:
    registrar = Registrar()
    plugin.wingbeat_register(registrar)  # type: ignore[arg-type]
    return registrar.factories


async def test_it_offers_a_catalog_in_the_home(tmp_path):
    catalog = registered()["sqlite"](Home(tmp_path, size_max="2Gi"))
    assert isinstance(catalog, SqliteCatalog)
    assert catalog._size_max == 2 * 2**30
    assert list(tmp_path.iterdir()) == []
    await catalog.start()
    await catalog.close()
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.sqlite"]


def test_without_a_setting_all_is_kept(tmp_path):
    assert registered()["sqlite"](Home(tmp_path))._size_max is None


@pytest.mark.parametrize("size", ["much", "-1", -1])
def test_a_wrong_setting_is_named(size):
    with pytest.raises(ConfigurationError, match=r"catalog\.size_max"):
        settings("catalog", CatalogSettings, [("here", {"size_max": size})])


def test_registering_loads_no_database():
    code = "import sys, wingbeat_catalog.plugin; print('aiosqlite' in sys.modules, 'sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
