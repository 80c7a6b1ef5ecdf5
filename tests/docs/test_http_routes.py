"""The page of routes is what the server says of itself."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("http_routes", ROOT / "tools" / "http_routes.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


async def test_the_page_is_what_the_server_says(tool: ModuleType) -> None:
    assert tool.PATH.read_text(encoding="utf-8") == tool.text(await tool.document()), "run 'make schema'"


async def test_every_route_is_on_it_with_what_it_does(tool: ModuleType) -> None:
    page, document = tool.PATH.read_text(encoding="utf-8"), await tool.document()
    for path, item in document["paths"].items():
        for method in item:
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{method.upper()} {path[7:]}` |")]
            assert row.split(" | ")[-1] not in ("|", " |"), row


def test_every_structure_that_is_named_is_there(tool: ModuleType) -> None:
    page = tool.PATH.read_text(encoding="utf-8")
    named = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert named == {line[4:].lower() for line in page.splitlines() if line.startswith("### ")}
