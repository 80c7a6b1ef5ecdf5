"""Sessions of the documentation (`sessions.py`), in an empty folder: the Python files of a page are in folders of their names."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sessions import Session, play, steps_of

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("artifacts", "backfills", "notifications", "share-and-launch", "tenants", "three-teams")


def test_what_a_page_shows_and_does_not_come_is_found() -> None:
    (step,) = steps_of("```console\na$ list\nID   PHASE\nx-…  DONE\n…\nend\n```\n")
    assert (step.folder, step.command) == ("a", "list")
    assert step.fits("ID  PHASE\nx-17  DONE\nend\n")
    assert step.fits("ID  PHASE\nx-17  DONE\nmore\nmore\nend\n")
    assert not step.fits("ID  PHASE\nx-17  FAILED\nend\n")
    assert not step.fits("ID  PHASE\nx-17  DONE\n")


@pytest.mark.servers
@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES)
def test_the_session_is_as_the_page_shows_it(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
    for name, source in FILE.findall(text):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(source)
        (tmp_path / name / "wingbeat.toml").touch()
    play(text, Session(tmp_path))
