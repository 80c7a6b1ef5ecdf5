"""What is shown to people who write plugins keeps the law for plugins."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "examples" / "plugins"
DOORS = {"attempts", "base", "calls", "contracts", "plans", "spec", "testing", "trees", "types"}
"""Modules of the kernel that are public, besides `wingbeat` itself."""
SOURCES = sorted(path for path in PLUGINS.rglob("*.py") if not {".venv", "build"} & set(path.parts))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module
            yield node.module
            if node.module == "wingbeat":
                yield from (f"wingbeat.{alias.name}" for alias in node.names
                            if alias.name.islower() and importlib.util.find_spec(f"wingbeat.{alias.name}"))  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_only_public_doors_of_the_kernel_are_imported(path: Path):
    names = {name for name in imported(path) if name.startswith("wingbeat.")}
    doors = DOORS | ({"kernel"} if path.name == "example.py" else set())  # which is a program, not a plugin
    private = {name for name in names if name.split(".")[1] not in doors or "._" in name}
    assert private == set()
    assert "wingbeat_" not in {name[:9] for name in imported(path)}, "no plugin imports another"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_only_tests_import_the_kits(path: Path):
    if "tests" not in path.parts and path.name != "kits.py":
        assert not any(name.startswith("wingbeat.testing") for name in imported(path))
