"""Failpoints: named places, at every step between an event and its effect, where a test kills, fails or delays a process.

``WINGBEAT_FAILPOINT=name:action:n:folder`` acts when `name` is passed for the n-th time by any process that was given it:
each passing adds a byte to the file ``folder/name``. The action is ``kill`` (SIGKILL), ``error`` (an `OSError`), ``delay``
(some seconds) or ``count`` (nothing; with ``*`` as the name, of all). Without the variable, passing a failpoint costs the
call of an empty function.
"""

from __future__ import annotations

import os
from collections.abc import Callable

DELAY_S = 0.5

_name, _action, _number, _folder = (os.environ.get("WINGBEAT_FAILPOINT", "").split(":", 3) + [""] * 3)[:4]


def _hit(name: str) -> None:
    if _name not in (name, "*"):
        return
    fd = os.open(f"{_folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, b".")
        passed = os.lseek(fd, 0, os.SEEK_CUR)  # where this very write ended, whoever else writes
    finally:
        os.close(fd)
    if passed == int(_number or 1):
        _act(name)


def _act(name: str) -> None:
    if _action == "kill":
        os.kill(os.getpid(), 9)
    elif _action == "error":
        raise OSError(5, f"failpoint {name}")
    elif _action == "delay":
        import time

        time.sleep(DELAY_S)


def _nothing(name: str) -> None:
    return


hit: Callable[[str], None] = _hit if _name else _nothing
"""Pass a failpoint."""
