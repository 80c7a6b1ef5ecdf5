"""What is registered in a home, as far as commands have seen it: for completion, which asks nobody.

A version never changes and never goes, so a note of one stays true. That one is missing is no harm.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

FILE = "registered"
KEPT_MAX = 1000
"""How many are remembered: the last ones."""
_BYTES_MAX = 2**20


def remember(found: Iterable[tuple[str, str]]) -> None:
    """Take note of what is registered, by kind and id, unless that is at a server elsewhere. Does nothing where it cannot."""
    from wingbeat_cli.door import is_elsewhere

    if is_elsewhere():
        return
    seen = [f"{kind} {id_}" for kind, id_ in found]
    before = _lines()
    lines = list(dict.fromkeys([*seen, *before]))[:KEPT_MAX]
    if set(lines) == set(before):
        return
    path = _path()
    aside = path.with_name(f"{FILE}.{os.getpid()}")
    with contextlib.suppress(OSError):
        aside.write_text("".join(f"{line}\n" for line in lines))
        aside.replace(path)


def remembered(kinds: Sequence[str] = ()) -> list[str]:
    """Ids, those noted last first; of these kinds, or of all."""
    noted = [line.partition(" ")[::2] for line in _lines()]
    return [id_ for kind, id_ in noted if not kinds or kind in kinds]


def _lines() -> list[str]:
    try:
        with _path().open() as stream:
            return stream.read(_BYTES_MAX).splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _path() -> Path:
    from wingbeat.kernel import home_path

    return home_path() / FILE
