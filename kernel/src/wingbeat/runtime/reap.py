"""The end of an attempt's process: nothing of it goes on, and how it ended is kept in the file `exit`."""

# ruff: noqa: SIM105
# /proc is read here, once for each attempt

from __future__ import annotations

import os
import resource
import signal
import sys
import time

import msgspec

from wingbeat.runtime import claim, files, limits
from wingbeat.runtime.job import Exit

read_exit = msgspec.json.Decoder(Exit).decode


def exit_of(pid: int, status: int, spent: resource.struct_rusage, usage: limits.Usage) -> Exit:
    """What `os.wait4` and the control groups say."""
    code = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return Exit(
        pid=pid,
        exit_code=code if code >= 0 else None,
        signal=signal_name(-code) if code < 0 else "",
        max_rss_bytes=spent.ru_maxrss * unit,
        cpu_s=round(spent.ru_utime + spent.ru_stime, 4),
        oom_kills=usage.oom_kills,
        memory_peak_bytes=usage.memory_peak_bytes,
    )


def write_exit(directory: str, end: Exit) -> None:
    """Keep how the attempt ended."""
    files.write_atomic(directory, files.EXIT, msgspec.json.encode(end))


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kill_group(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a process group; fine if it is gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def children() -> set[int]:
    """The processes whose parent this process is now, orphans that were handed to it included."""
    pid = os.getpid()
    try:
        fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        return {int(word) for word in os.read(fd, 1 << 16).split()}
    finally:
        os.close(fd)


def kill_orphans(known: set[int], timeout_s: float = 2.0) -> None:
    """Kill and reap every child that is not in `known`: what ended attempts left behind, in any session."""
    end = time.monotonic() + timeout_s
    while (orphans := children() - known) and time.monotonic() < end:
        for pid in orphans:
            kill_group(pid)
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                pass
        time.sleep(0.001)


def kill_leftovers(owner: claim.Claim, attempt: str) -> None:
    """Kill what an attempt left whose warm parent is dead: its session, and whatever carries its directory's variables.

    The number of a dead process can be in use again; a session whose leader started at another time is not touched.
    """
    limits.remove(owner.groups)
    if owner.pid <= 1:  # a claim that was cut off names nobody; session 0 is that of the machine's own processes
        return
    leader = claim.start_time(owner.pid)
    ours = leader in (0, owner.start)
    execution, node, number = attempt.split("/")
    marks = [f"WINGBEAT_{k}={v}".encode() for k, v in (("EXECUTION", execution), ("NODE", node), ("ATTEMPT", number))]
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not name.isdigit() or int(name) == os.getpid():
            continue
        if (ours and _session(name) == owner.pid) or _carries(name, marks):
            try:
                os.kill(int(name), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def _session(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[3])
    except (OSError, IndexError):
        return 0


def _carries(pid: str, marks: list[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return False
    return all(mark in variables for mark in marks)
