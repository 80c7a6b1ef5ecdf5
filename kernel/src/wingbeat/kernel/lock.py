"""Who works in a home: the process that holds the lock of its ``kernel.lock``."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class HomeLock:
    """The lock of a home. The system gives it back when the process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._path = home / "kernel.lock"
        self._fd = -1

    def try_take(self) -> bool:
        """Take the lock if it is free."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd
        return True

    def give_back(self) -> None:
        """Let others take it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder_pid(home: Path) -> str:
    """The process id that the last holder of a home has written down, for messages."""
    try:
        return (home / "kernel.lock").read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def is_held(home: Path) -> bool:
    """Whether a process holds a home at this moment. One that wants to take it while we look tries again at once."""
    try:
        fd = os.open(home / "kernel.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
