"""The claim: why an attempt runs at most once, and how anyone sees whether it lives.

``claim`` is published before any user code, exclusively and with a lock on it that the attempt's process holds until it
dies: by that process, or by the warm parent just before it forks it. A forked process says its number in it before it does
anything else; so a claim without a number that nobody holds is one under which nothing ever ran (its parent died), and can
be taken over. Whoever comes second otherwise finds the name taken. Cancelling an attempt that nobody has claimed claims it,
so that a late start finds it taken too.

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

from wingbeat.contracts.failpoints import hit
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
_PID_AT = len(b'{"pid":')
_own = -1


def take(directory: str, parent: str, groups: tuple[str, ...] = ()) -> bool:
    """Claim the attempt for this process until it dies. False if it is taken."""
    pid = os.getpid()
    fd = publish(directory, Claim(pid=pid, start=start_time(pid), parent=parent, groups=groups))
    if fd is None:
        return False
    hold(fd)
    return True


def hold(fd: int) -> None:
    """Let the lock be this process's own until it dies.

    A child made without exec inherits the descriptor; held there, the lock would outlive this process.
    """
    global _own  # noqa: PLW0603  # a process has at most one
    _own = fd


def lend() -> int:
    """A descriptor that has the lock too, for a process that is forked next and calls `hold` with it: the attempt is held
    until the last of them is dead."""
    return os.dup(_own)


def begin(fd: int) -> None:
    """In a forked process: say who it is, and let the lock be its own."""
    os.pwrite(fd, b"%10d" % os.getpid(), _PID_AT)
    hold(fd)


def complete(fd: int, claim: Claim) -> None:
    """Say all about the process that was forked under a claim; what it said itself stays as it is."""
    os.pwrite(fd, _encode(claim), 0)


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
    claim = _decoded(data)
    return None if _idle(claim) and not held(directory) else claim


def _decoded(data: bytes) -> Claim:
    try:
        return _decode(data)
    except msgspec.DecodeError:  # emptied by a power cut: somebody had it, and does not run any more
        return Claim()


def _encode(claim: Claim) -> bytes:
    rest = msgspec.json.encode(msgspec.structs.replace(claim, pid=0))[1:]
    return b'{"pid":%10d' % claim.pid + (b"," + rest if rest != b"}" else rest)


def _idle(claim: Claim) -> bool:
    """Whether it was published by a parent for a process that has not said who it is."""
    return bool(claim.parent) and not claim.pid and claim.cancelled is None


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
    temporary = (
        f"{directory}/.{CLAIM}.{os.urandom(8).hex()}"  # no number: threads of one process, and of containers, meet here
    )
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(fd, _encode(claim))
        hit("claim.written")
        try:
            os.link(temporary, f"{directory}/{CLAIM}")
        except FileExistsError:
            if not _take_over(directory, temporary):
                os.close(fd)
                return None
            return fd
    except BaseException:
        os.close(fd)
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return fd


def _take_over(directory: str, temporary: str) -> bool:
    """Put `temporary` in the place of a claim under which nothing ever ran. Of several who try, one succeeds: who has the
    lock of the file that is at the name."""
    old = os.open(f"{directory}/{CLAIM}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _idle(_decoded(os.read(old, 2**16))) or not os.path.samestat(
            os.fstat(old), os.stat(f"{directory}/{CLAIM}")
        ):
            return False
        os.rename(temporary, f"{directory}/{CLAIM}")
    except BlockingIOError:
        return False
    finally:
        os.close(old)
    return True


def _let_go() -> None:
    global _own  # noqa: PLW0603
    if _own >= 0:
        with contextlib.suppress(OSError):
            os.close(_own)
        _own = -1


os.register_at_fork(after_in_child=_let_go)
