"""Which environment variables a project asks for while its files are imported: what they define may depend on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked: set[str] = set()
_roots: tuple[str, ...] = ()


class _Asked(os._Environ[str]):  # noqa: SLF001  # there is no other way to see who asks
    def __getitem__(self, key: str) -> str:
        if _is_theirs(sys._getframe(1)):  # noqa: SLF001  # documented
            _asked.add(key)
        return super().__getitem__(key)


@contextmanager
def asked_for(roots: tuple[str, ...]) -> Iterator[set[str]]:
    """Within it, the names that files below `roots` ask `os.environ` for, themselves or by a library that they call, come into the
    set. What a library asks for while it is imported decides about the library."""
    global _roots  # as os.environ is of the process
    before, _roots = type(os.environ), tuple(f"{root}{os.sep}" for root in roots)
    _asked.clear()
    os.environ.__class__ = _Asked
    try:
        yield _asked
    finally:
        os.environ.__class__ = before


def _is_theirs(frame: FrameType | None) -> bool:
    """Whether it is one of the project's files that asks."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_roots) and "site-packages" not in file:
            return True
        if frame.f_code.co_name == "<module>":
            return False
        frame = frame.f_back
    return False
