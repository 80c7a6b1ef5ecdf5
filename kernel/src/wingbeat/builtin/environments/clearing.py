"""Environments that no attempt was given for long go, whichever home of the machine they were built for.

An environment is given out under a shared lock on its mark, whose time is that of its last use, and whoever runs in it holds such a
lock (`wingbeat.runtime.inuse`). It is removed under the lock of who builds, and an exclusive one on the mark: first it gets another
name, in one step, so that nobody meets half of one; what a crash leaves under such a name goes next time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from wingbeat.contracts.environment import MARK, Cleared
from wingbeat.contracts.failpoints import hit

_GONE = ".gone"
_LOCK = ".lock"


def note_use(folder: str) -> bool:
    """Note that an environment is given to somebody; False if it is not there as a whole, or is just being removed."""
    path = os.path.join(folder, MARK)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        there = os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False
    else:
        with contextlib.suppress(OSError):  # where others may only read it, they do not remove it either
            os.utime(fd)
        return there
    finally:
        os.close(fd)


def clear(root: str, before: float, *, dry: bool) -> Cleared:
    """Remove the environments in `root` that nobody was given since that moment and that nobody runs in, or count them."""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return Cleared()
    count = size = 0
    for name in names:
        folder = os.path.join(root, name)
        if name.endswith(_GONE):
            if not dry:
                _remove(folder)
        elif not name.endswith(_LOCK) and (found := _take_away(folder, before, dry=dry)):
            count, size = count + 1, size + _size_of(found)
            if not dry:
                hit("environments.moved-aside")
                _remove(found)
    return Cleared(count, size)


def _take_away(folder: str, before: float, *, dry: bool) -> str:
    """Where an environment is now that goes; empty if it stays."""
    with (
        contextlib.suppress(OSError),
        _locked(folder + _LOCK, os.O_RDWR | os.O_CREAT),
        _unused(folder, before) as unused,
    ):
        if not unused or dry:
            return folder if unused else ""
        gone = f"{folder}.{os.urandom(4).hex()}{_GONE}"
        os.rename(folder, gone)
        return gone
    return ""


@contextlib.contextmanager
def _unused(folder: str, before: float) -> Iterator[bool]:
    """Whether it was given to nobody since then; nobody is given it meanwhile. Raises OSError if somebody runs in it."""
    mark = os.path.join(folder, MARK)
    if os.path.exists(mark):
        with _locked(mark, os.O_RDONLY) as fd:
            yield os.fstat(fd).st_mtime < before
    else:  # who built it was killed
        yield os.stat(folder).st_mtime < before


@contextlib.contextmanager
def _locked(path: str, flags: int) -> Iterator[int]:
    """Hold a lock that nobody has. Raises OSError if somebody has it."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield fd
    finally:
        os.close(fd)


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what stays of it goes next time
    hit("environments.removed")


def _size_of(folder: str) -> int:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_size
    return size
