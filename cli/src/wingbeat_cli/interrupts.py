"""Ctrl-C while no execution is followed: it ends the command at once.

Raised as an exception it would not: in the middle of an import it may hit code that only prints it and goes on, and while a
kernel is opened or closed it would leave half of it. Nothing is lost at whatever moment a command ends: every fact is in
the journal, and what runs is adopted by the next kernel.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

INTERRUPTED = 130


def leave_at_once() -> None:
    """Let Ctrl-C end this process from now on. Who started us without Ctrl-C, as a shell does in the background, keeps it so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """Have Ctrl-C raise KeyboardInterrupt, as it does in any Python."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    with contextlib.suppress(Exception):  # it may be in the middle of a write
        sys.stdout.flush()
    if number == signal.SIGTERM:  # by which it would have ended at once
        os.kill(os.getpid(), signal.SIGTERM)
    with contextlib.suppress(OSError):
        os.write(2, b"\ninterrupted\n")
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """While it is entered, Ctrl-C is raised, and SIGTERM as that, so that what was begun is undone: processes, folders. Then the
    command ends."""
    before = signal.getsignal(signal.SIGINT)
    if before is not _leave:
        yield
        return
    asked = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = number
        signal.default_int_handler(number, frame)

    hook = sys.unraisablehook
    others: dict[signal.Signals, Any] = {signal.SIGINT: before}
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        others[signal.SIGTERM] = signal.SIG_DFL
    for number in others:
        signal.signal(number, ask)
    sys.unraisablehook = lambda found: None if found.exc_type is KeyboardInterrupt else hook(found)
    try:
        yield
    finally:
        for number, handler in others.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
        if asked:  # also if an import has swallowed it, or has made another error of it
            _leave(asked, None)
