"""Every Python block of the documentation runs as it stands.

A block marked `python` is a program of its own. Its first line may give it a file name (`# hello.py`), by which later blocks
of the page can import it; all blocks of a page stand in one folder, each run has a home of its own. Blocks of other kinds
(`console`, `text`) are not run. Line numbers in a traceback are those of the page.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from wingbeat.contracts.plugin import API_VERSION

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+\.py)\n")


class Block(NamedTuple):
    """One block: its page, its first line there, its file and its source."""

    page: Path
    line: int
    name: str
    source: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        named = NAMED.match(match[1])
        found.append(Block(page, line, named[1] if named else f"line_{line}.py", match[1]))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def test_blocks_are_found() -> None:
    pages = {block.page.name for block in BLOCKS}
    assert {"README.md", "tutorial.md", "embed.md"} <= pages


def test_plugins_are_written_for_the_contracts_that_are_here() -> None:
    """As `wingbeat init plugin` writes them."""
    written = {(page.name, api) for page in PAGES for api in re.findall(r"PluginInfo\(api=(\(.*?\))", page.read_text())}
    assert "write-a-plugin.md" in {name for name, _ in written}
    assert {api for _, api in written} == {str(API_VERSION)}, written


def test_a_failing_block_is_told_by_its_line_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nok = 1\nassert ok == 2\n```\n")
    (block,) = blocks_of(page)
    done = run(block, tmp_path)
    assert done.returncode == 1
    assert "line 5" in done.stderr


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_block_runs(block: Block, tmp_path: Path) -> None:
    done = run(block, tmp_path)
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    for other in blocks_of(block.page):
        (folder / other.name).write_text("\n" * (other.line - 1) + other.source)
    (folder / "wingbeat.toml").touch()
    environment = {**os.environ, "WINGBEAT_HOME": str(folder / "home")}
    command = [sys.executable, block.name]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=50)
