"""Where the server of a home is: for other processes of the same machine, which go through it while it has the admin's file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from wingbeat.base.errors import ConfigurationError

FILE = "server"
_BYTES_MAX = 4000
_TRIES, _AGAIN_S = 20, 0.02
"""Who only looks holds the lock too, for a moment."""


class Served(NamedTuple):
    """Where a home is served, and the key of its owner: whoever may read the home's files is that. Empty where nobody is asked.
    `for_attempts` is the URL by which those reach it, where that is another one."""

    url: str
    key: str = ""
    for_attempts: str = ""


@contextlib.contextmanager
def announced(home: str) -> Iterator[int]:
    """While entered, this process is the home's server. Gives a file to write the URL to; its lock ends with the process.

    Raises:
        ConfigurationError: Another process is.
    """
    handle = os.open(os.path.join(home, FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(handle):
            raise ConfigurationError(
                f"The home {home} is served already, at {_url_of(home) or 'a URL that it has not said yet'}."
            )
        yield handle
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def announce(handle: int, served: Served) -> None:
    """Say that it answers there. Nobody but the owner of the home may read it."""
    os.fchmod(handle, 0o600)
    os.ftruncate(handle, 0)
    os.pwrite(handle, "\n".join(served).encode(), 0)


def server_of(home: str) -> Served | None:
    """Where the server is that runs over this home now; None if none does."""
    try:
        handle = os.open(os.path.join(home, FILE), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Served(*os.pread(handle, _BYTES_MAX, 0).decode().split("\n"))
    else:
        return None  # whoever wrote it has ended
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    for left in range(_TRIES, 0, -1):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left > 1:
                time.sleep(_AGAIN_S)
        else:
            return True
    return False


def _url_of(home: str) -> str:
    served = server_of(home)
    return "" if served is None else served.url
