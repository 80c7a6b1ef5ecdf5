"""Where the server of a home is: for other processes of the same machine, which go through it while it has the admin's file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from wingbeat.base.errors import ConfigurationError

FILE = "server"
_URL_BYTES_MAX = 200


@contextlib.contextmanager
def announced(home: str) -> Iterator[int]:
    """While entered, this process is the home's server. Gives a file to write the URL to; its lock ends with the process.

    Raises:
        ConfigurationError: Another process is.
    """
    handle = os.open(os.path.join(home, FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"The home {home} is served already, at {server_of(home) or 'a URL that it has not said yet'}."
            ) from None
        yield handle
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def announce(handle: int, url: str) -> None:
    """Say that it answers there."""
    os.ftruncate(handle, 0)
    os.pwrite(handle, url.encode(), 0)


def server_of(home: str) -> str:
    """The URL of the server that runs over this home now; empty if none does."""
    try:
        handle = os.open(os.path.join(home, FILE), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, _URL_BYTES_MAX, 0).decode()
    else:
        return ""  # whoever wrote it has ended
    finally:
        os.close(handle)
