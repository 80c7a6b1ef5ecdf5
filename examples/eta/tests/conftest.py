"""Fixtures: a small hand-made town, and whether what the example needs is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

_NEEDED = ("osmium", "scipy", "pandas", "xgboost", "optuna")
MISSING = [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    if MISSING:
        reason = f"needs examples/eta/requirements.txt (not installed: {', '.join(MISSING)})"
        for item in items:
            needs_none = item.path.name == "test_real_data.py" or item.get_closest_marker("tensorflow")
            if item.path.is_relative_to(folder) and not needs_none:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """An OpenStreetMap file of a town of two parallel streets, joined at both ends and in the middle."""
    from eta_town import TOWN, write_osm

    return write_osm(tmp_path / "osm" / "town-2020-01-02.osm", TOWN)
