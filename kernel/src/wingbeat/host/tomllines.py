"""In which line of a TOML file something is said: the library that reads it does not tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADING = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]\]?")
_KEY = re.compile(rf"\s*({_PATH})\s*=")
_QUOTES = re.compile(r"""\"{3}|'{3}""")


def line_of(file: Path, path: Sequence[str]) -> int:
    """The first line that sets what is at `path`, or holds the table that does; 0 if none is found, or the file cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    wanted, table, holds = [*path], list[str](), 0
    inside = False  # of a text of several lines
    for number, line in enumerate(lines, 1):
        found: list[str] | None = None
        if not inside and (heading := _HEADING.match(line)):
            found = table = _parts(heading[1])
        elif not inside and (key := _KEY.match(line)):
            found = [*table, *_parts(key[1])]
            if len(found) < len(wanted) and found == wanted[: len(found)]:
                holds = holds or number  # ``section = {key = …}``
        if found is not None and found[: len(wanted)] == wanted:
            return number
        inside ^= len(_QUOTES.findall(line)) % 2 == 1
    return holds


def _parts(path: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, path)]
