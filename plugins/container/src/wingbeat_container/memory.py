"""How much memory a container uses, and whether the machine kills in it for want of it: looked at from outside.

Engines say so only if they noticed (on control groups of version 1 they mostly do not), and when the container has ended its
control group is gone. So it is looked at while it runs, and in the moment when its first process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

from msgspec import Struct

ROOT = "/sys/fs/cgroup"
LOOK_S = 0.2
_PEAKS = ("memory.max_usage_in_bytes", "memory.peak")
_KILLS = ("memory.oom_control", "memory.events")


class Usage(Struct):
    """The most memory in use (0 unknown), and kills for want of memory, that were seen."""

    peak_bytes: int = 0
    oom_kills: int = 0


def group_of(pid: int, container: str) -> str:
    """The folder of a container's control group for memory; empty if it cannot be found, or is another's."""
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers.split(",") == ["memory"]:
            folder = f"{ROOT}/memory{path}"
        elif not controllers:
            folder = f"{ROOT}{path}"
        else:
            continue
        if container in path and os.path.isdir(folder) and any(os.path.exists(f"{folder}/{name}") for name in _KILLS):
            return folder
    return ""


def look(group: str, usage: Usage) -> None:
    """Add what the group says now, as far as it is still there."""
    for name in _PEAKS:
        said = _read(f"{group}/{name}").strip()
        if said.isdigit():
            usage.peak_bytes = max(usage.peak_bytes, int(said))
    for name in _KILLS:
        for line in _read(f"{group}/{name}").splitlines():
            if line.startswith("oom_kill "):
                usage.oom_kills = max(usage.oom_kills, int(line.split()[1]))


async def watch(pid: int, container: str, usage: Usage) -> bool:
    """Look until the first process of the container has ended. False, at once, where that cannot be seen from here."""
    group = group_of(pid, container)
    if not group:
        return False
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        look(group, usage)
        return False
    loop.add_reader(fd, ended.set)
    try:
        while not ended.is_set():
            look(group, usage)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_S)
        look(group, usage)
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(2**16)
    except OSError:
        return ""
