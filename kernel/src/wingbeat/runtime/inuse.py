"""That this process runs in an environment which was built for tasks: whoever removes environments leaves it."""

from __future__ import annotations

import fcntl
import os
import sys
import time

from wingbeat.contracts.environment import MARK

TRIES, PAUSE_S = 100, 0.01
_held: list[int] = []


def hold(prefix: str = "") -> None:
    """Hold the environment of this interpreter, or the one at `prefix`, as long as this process lives, and what is forked from it.

    Nothing happens in an interpreter that nobody built for tasks: there is no mark in it.
    """
    try:
        fd = os.open(os.path.join(prefix or sys.prefix, MARK), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    for _ in range(TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # somebody looks at this moment, and will see that it was given to us just now
            time.sleep(PAUSE_S)
        else:
            _held.append(fd)
            return
    os.close(fd)
