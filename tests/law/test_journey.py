"""The page that leads through the files names files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_on_the_journey_exists() -> None:
    text = (ROOT / "docs/journey-of-a-run.md").read_text()
    named = [name for name in re.findall(r"`([\w/]+\.py)`", text) if name != "hello.py"]
    assert len(named) > 30
    missing = [n for n in named if not (ROOT / n).exists() and not (ROOT / "kernel/src/wingbeat" / n).exists()]
    assert not missing
