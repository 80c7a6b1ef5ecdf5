import os
import sys

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.host.installed import installed_plugins

ENTRY_POINTS = "[wingbeat]\n{name} = {name}_module\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    return folder


def install(site, name):
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS.format(name=name))
    later = site.stat().st_mtime_ns + 1_000_000  # a clock may be coarser than this test is quick
    os.utime(site, ns=(later, later))


def test_an_installed_plugin_is_found(site, tmp_path):
    install(site, "kite")
    assert installed_plugins(tmp_path / "cache")["kite"] == "kite_module"


def test_the_second_look_opens_no_distribution(site, tmp_path, monkeypatch):
    install(site, "kite")
    first = installed_plugins(tmp_path / "cache")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: pytest.fail("looked again"))
    assert installed_plugins(tmp_path / "cache") == first


def test_a_plugin_that_is_installed_later_is_found(site, tmp_path):
    installed_plugins(tmp_path / "cache")
    install(site, "kite")
    assert "kite" in installed_plugins(tmp_path / "cache")


def test_a_damaged_table_is_made_again(site, tmp_path):
    install(site, "kite")
    (tmp_path / "cache").write_bytes(b"\xc1")
    assert "kite" in installed_plugins(tmp_path / "cache")


def test_two_plugins_of_one_name_are_refused_with_their_distributions(site, tmp_path):
    install(site, "kite")
    install(site, "swift")
    (site / "swift-1.0.dist-info/entry_points.txt").write_text("[wingbeat]\nkite = swift_module\n")
    for _ in range(2):  # also from memory
        with pytest.raises(
            ConfigurationError, match=r"two plugins 'kite': of (kite|swift) 1.0, and of (kite|swift) 1.0"
        ):
            installed_plugins(tmp_path / "cache")


def test_two_of_one_name_are_no_matter_where_it_is_off_and_can_be_noted(site, tmp_path):
    install(site, "kite")
    install(site, "swift")
    install(site, "heron")
    (site / "swift-1.0.dist-info/entry_points.txt").write_text("[wingbeat]\nkite = swift_module\n")
    assert "kite" in installed_plugins(tmp_path / "cache", ["kite"])
    twice = {}
    assert installed_plugins(tmp_path / "cache", twice=twice).keys() >= {"kite", "heron"}
    assert [*twice] == ["kite"]
    assert "plugins.disabled = ['kite']" in twice["kite"].hint


def test_nobody_takes_the_place_of_what_is_in_the_box(site, tmp_path):
    install(site, "builtin")
    with pytest.raises(ConfigurationError, match="builtin 1.0 calls its plugin 'builtin'"):
        installed_plugins(tmp_path / "cache")
