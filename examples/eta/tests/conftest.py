"""Fixtures: a small hand-made town, and whether what the example needs is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

_NEEDED = ("osmium", "scipy", "pandas", "xgboost", "optuna")
MISSING = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
collect_ignore_glob: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    if MISSING:
        reason = f"needs examples/eta/requirements.txt (not installed: {', '.join(MISSING)})"
        for item in items:
            if item.path.is_relative_to(folder):
                item.add_marker(pytest.mark.skip(reason=reason))


NODES = """
  <node id="1" lat="60.0000" lon="25.0000"/>
  <node id="2" lat="60.0000" lon="25.0050"><tag k="highway" v="traffic_signals"/></node>
  <node id="3" lat="60.0000" lon="25.0100"/>
  <node id="4" lat="60.0020" lon="25.0050"/>
  <node id="5" lat="60.0020" lon="25.0100"/>
  <node id="6" lat="60.0020" lon="25.0000"/>
  <node id="7" lat="60.0100" lon="25.0100"/>
"""


def way(number: int, nodes: list[int], **tags: str) -> str:
    refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
    return f'<way id="{number}">{refs}' + "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()) + "</way>"


TOWN = [
    way(10, [1, 2, 3], highway="primary", maxspeed="50", name="Main"),
    way(11, [6, 4, 5], highway="residential"),
    way(12, [1, 6], highway="residential", oneway="yes"),
    way(13, [2, 4], highway="secondary", maxspeed="25 mph"),
    way(14, [3, 5], highway="tertiary", oneway="-1"),
    way(15, [5, 7], highway="residential", oneway="yes"),  # leads out and never back
    way(16, [1, 4], highway="footway"),
    way(17, [1, 5], highway="residential", access="private"),
]


def write_osm(path: Path, ways: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<osm version="0.6">{NODES}{"".join(ways)}</osm>')
    return path


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """An OpenStreetMap file of a town of two parallel streets, joined at both ends and in the middle."""
    return write_osm(tmp_path / "osm" / "town-2020-01-02.osm", TOWN)
