"""Memory and CPU of an attempt.

Memory: a control group where one can be made (version 1 beside the own group's children, version 2 beside the own
group, which a systemd user session and a privileged container allow), else ``RLIMIT_DATA``. That one counts private
writable memory, also if it was never touched, but not what is only reserved or mapped from files, so Java, TensorFlow
and large thread stacks survive where ``RLIMIT_AS`` would end them; allocations over it fail with MemoryError.

CPU: a quota of the control group where there is one, and the variables by which numeric libraries choose their threads.
A library that the warm parent imported has chosen already; the quota holds in any case.
"""

# ruff: noqa: SIM105
# control groups are files of one line each

from __future__ import annotations

import hashlib
import math
import os
import resource
import signal
import time

from msgspec import Struct

ROOT = "/sys/fs/cgroup"
PREFIX = "wingbeat-"
PERIOD_US = 100_000
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip


class Usage(Struct, frozen=True):
    """What the control groups of an attempt counted: the most memory in use (0 unknown), kills for want of memory."""

    memory_peak_bytes: int = 0
    oom_kills: int = 0


def plan(directory: str, cpu: float | None, memory_bytes: int | None) -> tuple[str, ...]:
    """The control groups that an attempt is to have, by path; none of them made. Empty where there can be none."""
    name = PREFIX + hashlib.sha256(directory.encode()).hexdigest()[:16]
    if os.path.exists(f"{ROOT}/cgroup.controllers"):
        own = _own_groups().get("", "/")
        base = os.path.dirname(own.rstrip("/")) or "/"
        return (os.path.normpath(f"{ROOT}/{base}/{name}"),) if cpu is not None or memory_bytes is not None else ()
    wanted = [c for c, value in (("memory", memory_bytes), ("cpu", cpu)) if value is not None]
    own_by_controller = _own_groups()
    found = []
    for controller in wanted:
        base = f"{ROOT}/{controller}{own_by_controller.get(controller, '/')}"
        if not os.path.isdir(base):
            base = f"{ROOT}/{controller}"
        if os.path.isdir(base):
            found.append(os.path.normpath(f"{base}/{name}"))
    return tuple(found)


def enter(groups: tuple[str, ...], cpu: float | None, memory_bytes: int | None) -> None:
    """Put this process, and so all that it starts, under its limits."""
    limited = [_join(group, cpu, memory_bytes) for group in groups]
    if memory_bytes is not None and "memory" not in limited and "both" not in limited:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def no_core() -> None:
    """Have the system write no image of this process's memory, and of those that it starts, when it crashes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def thread_variables(cpu: float | None) -> dict[str, str]:
    """Environment variables that keep numeric libraries to `cpu` threads."""
    return {} if cpu is None else dict.fromkeys(THREAD_VARIABLES, str(max(1, math.ceil(cpu))))


def usage(groups: tuple[str, ...]) -> Usage:
    """What the groups counted so far."""
    peak = kills = 0
    for group in groups:
        peak = max(peak, *(_number(f"{group}/{name}") for name in ("memory.max_usage_in_bytes", "memory.peak")))
        for name in ("memory.oom_control", "memory.events"):
            for line in _read(f"{group}/{name}").splitlines():
                if line.startswith("oom_kill "):
                    kills += int(line.split()[1])
    return Usage(memory_peak_bytes=peak, oom_kills=kills)


def remove(groups: tuple[str, ...], timeout_s: float = 2.0) -> None:
    """Kill what is left in the groups and remove them."""
    end = time.monotonic() + timeout_s
    for group in groups:
        if not os.path.basename(group).startswith(PREFIX):
            continue  # a damaged claim must not have another group's processes killed
        while os.path.isdir(group):
            for pid in _read(f"{group}/cgroup.procs").split():
                _kill(int(pid))
            try:
                os.rmdir(group)
            except OSError:
                if time.monotonic() > end:
                    break
                time.sleep(0.002)


def _join(group: str, cpu: float | None, memory_bytes: int | None) -> str:
    """Make `group` and enter it; says what it limits: ``memory``, ``cpu``, ``both`` or nothing."""
    version2 = os.path.exists(f"{ROOT}/cgroup.controllers")
    kind = "both" if version2 else group.removeprefix(ROOT + "/").split("/")[0]
    try:
        os.mkdir(group)
    except FileExistsError:
        pass
    except OSError:
        return ""
    try:
        for name, value, needed in _settings(kind, cpu, memory_bytes):
            _write(f"{group}/{name}", value, needed=needed)
        _write(f"{group}/cgroup.procs", "0", needed=True)
    except OSError:
        try:
            os.rmdir(group)
        except OSError:
            pass
        return ""
    return kind


def _settings(kind: str, cpu: float | None, memory_bytes: int | None) -> list[tuple[str, str, bool]]:
    quota = None if cpu is None else max(1000, int(cpu * PERIOD_US))
    found: list[tuple[str, str, bool]] = []
    if kind == "memory":
        found = [(f"memory.{name}", str(memory_bytes), name == "limit_in_bytes") for name in
                 ("limit_in_bytes", "memsw.limit_in_bytes")]  # fmt: skip
    elif kind == "cpu":
        found = [("cpu.cfs_period_us", str(PERIOD_US), True), ("cpu.cfs_quota_us", str(quota), True)]
    else:
        if memory_bytes is not None:
            found += [("memory.max", str(memory_bytes), True), ("memory.swap.max", "0", False)]
            found += [("memory.oom.group", "1", False)]
        if quota is not None:
            found += [("cpu.max", f"{quota} {PERIOD_US}", memory_bytes is None)]
    return found


def _own_groups() -> dict[str, str]:
    """The path of this process's group by controller; version 2 under the empty name."""
    found = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _write(path: str, value: str, *, needed: bool) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError:
        if needed:
            raise


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
