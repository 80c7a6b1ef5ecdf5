"""Where in the user's code something stands, for messages."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, NamedTuple

_ROOM = os.path.dirname(os.path.abspath(__file__)) + os.sep
"""Frames of this room are between what is called and who calls it."""
_LIBRARIES = (os.path.dirname(os.path.abspath(os.__file__)) + os.sep, "<frozen ", "<string>")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Location(NamedTuple):
    """A file and a line of the user's; `decorated`: the first of those that decorate what is meant."""

    file: str
    line: int
    decorated: bool = False

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"

    @property
    def text(self) -> str:
        """The line itself, stripped; of a decorated function its first line behind one-line decorators."""
        line = self.line
        while (text := linecache.getline(self.file, line).strip()).startswith("@") and self.decorated:
            line += 1
        return text

    def named_in(self, message: str) -> bool:
        """Whether a message names a line of this file already."""
        return f"({os.path.basename(self.file)}:" in message


def caller(depth: int = 2) -> Location:
    """Where the function that called us was called from, by code that is not of this room."""
    frame: FrameType = sys._getframe(depth)  # inspect.stack() reads files and is a thousand times slower
    while frame.f_code.co_filename.startswith(_ROOM) and frame.f_back is not None:
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno)


def users_frame() -> FrameType:
    """What of the user's code is being run, for messages: a library that it has called is passed over."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_ROOM):
        frame = frame.f_back
    frames: list[FrameType] = []
    while frame is not None and not frame.f_code.co_filename.startswith(_ROOM):
        frames.append(frame)
        frame = frame.f_back
    return next((f for f in frames if _users(f.f_code.co_filename)), frames[0] if frames else sys._getframe(1))


def users_line() -> Location:
    """The line of `users_frame`."""
    frame = users_frame()
    return Location(frame.f_code.co_filename, frame.f_lineno)


def raised_at(trace: TracebackType | None) -> Location | None:
    """The innermost line of the user's at which an exception passed; None if it passed none."""
    found: Location | None = None
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(_ROOM) and _users(name):
            found = Location(name, trace.tb_lineno)
        trace = trace.tb_next
    return found


def location_of(fn: Any) -> Location:
    """Where `fn` is defined."""
    code = getattr(fn, "__code__", None)
    if code is None:
        return Location("?", 0)
    return Location(code.co_filename, code.co_firstlineno, decorated=code.co_name != "<lambda>")


def shown(value: object) -> str:
    """A value in a message: what its repr would give an address in memory of, by its name."""
    name = getattr(value, "__name__", "")
    if isinstance(value, type):
        return f"the class {name}"
    if name == "<lambda>":
        return "a lambda"
    return f"the function {name}" if name and callable(value) and repr(value).startswith("<") else repr(value)


def _users(file: str) -> bool:
    return not file.startswith(_LIBRARIES) and not any(part in file for part in _INSTALLED)


def close_to(word: str, known: Iterable[str]) -> str:
    """A question whether a similar word was meant, behind a message; empty if none is similar."""
    import difflib  # only for those who misspelt

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {found[0]!r}? " if found else ""
