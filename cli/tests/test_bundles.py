"""Which files differ between two bundles, as people are told it."""

import pytest

from wingbeat import kernel
from wingbeat_cli import bundles, door


@pytest.fixture
def stored(monkeypatch):
    there = {
        "sha256:1": {"a.py": "1", "b.py": "1", "c.py": "1"},
        "sha256:2": {"b.py": "2", "c.py": "1", "d.py": "1"},
        "sha256:3": {f"n{n:02}.py": "1" for n in range(13)},
    }
    monkeypatch.setattr(kernel, "files_of", lambda digest, settings: there.get(digest))
    monkeypatch.setattr(door, "is_elsewhere", lambda: False)


def test_added_changed_and_removed_ones_are_told(stored):
    files = bundles.changed_files("sha256:1", "sha256:2")
    assert files == {"added": ["d.py"], "changed": ["b.py"], "removed": ["a.py"]}
    assert list(bundles.lines(files)) == ["  a.py: removed", "  b.py: changed", "  d.py: added"]


def test_many_are_counted(stored):
    shown = list(bundles.lines(bundles.changed_files("", "sha256:3")))
    assert (len(shown), shown[9], shown[10]) == (11, "  n09.py: added", "  and 3 more")


def test_what_is_not_to_be_had_is_not_told(stored):
    assert bundles.changed_files("sha256:1", "sha256:9") is None
