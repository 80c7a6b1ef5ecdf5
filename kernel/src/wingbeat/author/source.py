"""Where in the user's code something stands, for messages."""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import Any, NamedTuple


class Location(NamedTuple):
    """A file and a line of the user's."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"

    @property
    def text(self) -> str:
        """The line itself, stripped."""
        return linecache.getline(self.file, self.line).strip()


def caller(depth: int = 2) -> Location:
    """Where the function that called us was called from."""
    frame: FrameType = sys._getframe(depth)  # inspect.stack() reads files and is a thousand times slower
    return Location(frame.f_code.co_filename, frame.f_lineno)


def location_of(fn: Any) -> Location:
    """Where `fn` is defined."""
    code = getattr(fn, "__code__", None)
    return Location(code.co_filename, code.co_firstlineno) if code else Location("?", 0)
