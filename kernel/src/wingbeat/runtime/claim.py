"""The claim: why an attempt runs at most once, and how anyone sees whether it lives.

The process of an attempt publishes ``claim`` before any user code, exclusively and with a lock on it that it holds
until it dies. Whoever comes second finds the name taken. Cancelling an attempt that nobody has claimed claims it, so
that a late start finds it taken too.

The file is locked and written under a name of its own and then linked to ``claim``: it never exists unlocked or
unwritten.
"""

# descriptors are the point here

from __future__ import annotations

import contextlib
import fcntl
import os

import msgspec
from msgspec import Struct

from wingbeat.runtime.files import CLAIM, read_file, write_all


class Claim(Struct, frozen=True, omit_defaults=True):
    """Who has the attempt.

    Attributes:
        pid: The process, which leads a session of its own; 0 if it was cancelled.

        start: When that process started, in the clock ticks of ``/proc/PID/stat``: tells it from a later one of its
        number.

        parent: Socket name of the warm parent that reaps it.

        groups: Control groups made for it.

        cancelled: Why it will never run; None if it was claimed to run.
    """

    pid: int = 0
    start: int = 0
    parent: str = ""
    groups: tuple[str, ...] = ()
    cancelled: str | None = None


_decode = msgspec.json.Decoder(Claim).decode


def take(directory: str, parent: str, groups: tuple[str, ...] = ()) -> bool:
    """Claim the attempt for this process until it dies. False if it is taken."""
    pid = os.getpid()
    fd = publish(directory, Claim(pid=pid, start=start_time(pid), parent=parent, groups=groups))
    if fd is None:
        return False
    # A child made without exec inherits the descriptor; held there, the lock would outlive this process.
    os.register_at_fork(after_in_child=lambda: _close(fd))
    return True


def refuse(directory: str, reason: str) -> bool:
    """Claim the attempt so that it never runs. False if it is taken."""
    fd = publish(directory, Claim(cancelled=reason))
    if fd is None:
        return False
    os.close(fd)
    return True


def read(directory: str) -> Claim | None:
    """The claim of an attempt, None if nobody has claimed it."""
    data = read_file(directory, CLAIM, bytes_max=2**20)
    if data is None:
        return None
    try:
        return _decode(data)
    except msgspec.DecodeError:  # emptied by a power cut: somebody had it, and does not run any more
        return Claim()


def held(directory: str) -> bool:
    """Whether the process that claimed the attempt lives."""
    try:
        fd = os.open(f"{directory}/{CLAIM}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 where it is gone or cannot be known."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 4096).rpartition(b")")[2].split()[19])
    except (OSError, IndexError):
        return 0
    finally:
        os.close(fd)


def publish(directory: str, claim: Claim) -> int | None:
    """Make the claim; the descriptor holds its lock. None if there is one."""
    temporary = f"{directory}/.{CLAIM}.{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(fd, msgspec.json.encode(claim))
        os.link(temporary, f"{directory}/{CLAIM}")
    except FileExistsError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    finally:
        os.unlink(temporary)
    return fd


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)
