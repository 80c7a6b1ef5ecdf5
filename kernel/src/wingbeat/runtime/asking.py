"""Which environment variables a project asks for while its files are imported: what they define may depend on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

_asked: set[str] = set()
_direct: set[tuple[str, str]] = set()
_roots: tuple[str, ...] = ()
_MAPPINGS = {"os", "collections.abc"}
"""Modules whose methods are between who asks and `os.environ`, as `os.getenv` and `Mapping.get`."""


class Asking(NamedTuple):
    """What has been asked for: names; and, of those that the files ask for themselves, the file and the name."""

    names: set[str]
    direct: set[tuple[str, str]]


class _Asked(os._Environ[str]):  # noqa: SLF001  # there is no other way to see who asks
    def __getitem__(self, key: str) -> str:
        frame = sys._getframe(1)  # noqa: SLF001  # documented
        if _is_theirs(frame):
            _asked.add(key)
            if file := _asking(frame):
                _direct.add((file, key))
        return super().__getitem__(key)


@contextmanager
def asked_for(roots: tuple[str, ...]) -> Iterator[Asking]:
    """Within it, the names that files below `roots` ask `os.environ` for, themselves or by a library that they call, come into what
    it gives. What a library asks for while it is imported decides about the library."""
    global _roots  # as os.environ is of the process
    before, _roots = type(os.environ), tuple(f"{root}{os.sep}" for root in roots)
    _asked.clear()
    _direct.clear()
    os.environ.__class__ = _Asked
    try:
        yield Asking(_asked, _direct)
    finally:
        os.environ.__class__ = before


def _is_theirs(frame: FrameType | None) -> bool:
    """Whether it is one of the project's files that asks."""
    while frame is not None:
        if _is_of_project(frame):
            return True
        if frame.f_code.co_name == "<module>":
            return False
        frame = frame.f_back
    return False


def _is_of_project(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(_roots) and "site-packages" not in file


def _asking(frame: FrameType | None) -> str:
    """The project's file that asks by itself; empty where a library does. Nor do `setdefault`, which is
    there to set one, and `copy`, which is there to hand all on, count."""
    while frame is not None and frame.f_globals.get("__name__") in _MAPPINGS:
        if frame.f_code.co_name in ("setdefault", "copy"):
            return ""
        frame = frame.f_back
    return frame.f_code.co_filename if frame is not None and _is_of_project(frame) else ""
