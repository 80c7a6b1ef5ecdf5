"""Which distribution a module comes from."""

import importlib.metadata
import sys
from importlib.metadata import version

import pytest

from wingbeat.runtime.distributions import distribution_of, distribution_with


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Two distributions that share a package, with a plugin each; and one without."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name, points in (("acme-one", "acme_shared.one"), ("acme-two", "acme_shared.two"), ("acme-bare", "")):
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "top_level.txt").write_text("acme_shared" if points else "acme_bare")
        if points:
            (info / "entry_points.txt").write_text(f"[wingbeat]\n{name} = {points}\n")


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("acme_shared.one", "acme-one 1.2"),
        ("acme_shared.two", "acme-two 1.2"),
        ("acme_shared.two:Wrapper", "acme-two 1.2"),
        ("acme_bare.inside:Handler", ""),
        ("wingbeat.builtin.plugin", f"wingbeat {version('wingbeat')}"),
    ],
)
def test_it_is_that_of_the_plugin(site, place, found):
    assert distribution_of(place) == found


@pytest.mark.parametrize(
    ("place", "found"),
    [("acme_bare.inside:Handler", "acme-bare 1.2"), ("acme_shared.two", "acme-two 1.2"), ("nowhere_at_all", "")],
)
def test_of_any_module_it_is_that_of_its_package(site, place, found):
    assert distribution_with(place) == found


def test_of_a_plugin_that_is_not_known_any_of_the_package_is_named(site):
    assert distribution_of("acme_shared.three:Handler") in ("acme-one 1.2", "acme-two 1.2")


def test_damaged_metadata_spoils_no_message(monkeypatch):
    def damaged():
        raise ValueError("no metadata")

    monkeypatch.setattr(importlib.metadata, "distributions", damaged)
    assert distribution_of("acme_shared.one") == ""
