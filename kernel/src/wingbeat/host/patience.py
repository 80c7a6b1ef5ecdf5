"""Code of plugins that runs before there is a loop that could bound it: in a thread of its own, which is left behind where it does
not come to an end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Hangs(Exception):
    """It has not come to an end in time.

    Args:
        place: Where it stands, as ``function (file:line)``; empty if nobody knows.
    """

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


def in_time(call: Callable[[], T], seconds: float) -> T:
    """What `call` gives, or raises. Raises `Hangs` if it has done neither within so many seconds; it may go on beside then."""
    calling = _Calling(call)
    calling.start()
    calling.join(min(seconds, threading.TIMEOUT_MAX))
    if calling.is_alive():
        raise Hangs(_place(calling.ident))
    if calling.raised is not None:
        raise calling.raised
    answer: T = calling.answer
    return answer


class _Calling(threading.Thread):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(name="plugin", daemon=True)
        self._call = call
        self.answer: Any = None
        self.raised: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = self._call()
        except KeyboardInterrupt as error:  # its own: Ctrl-C is raised in the main thread
            self.raised = RuntimeError("it has raised KeyboardInterrupt")
            self.raised.__cause__ = error
        except BaseException as error:  # noqa: BLE001  # for whoever waits
            self.raised = error


def _place(thread: int | None) -> str:
    """The innermost place that is not of Python itself."""
    frame = None if thread is None else sys._current_frames().get(thread)  # noqa: SLF001  # documented
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in sys.stdlib_module_names and module != "wingbeat":
            return place_of(frame)
        frame = frame.f_back
    return ""


def place_of(frame: FrameType) -> str:
    """Where a frame stands, as ``function (file:line)``."""
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
