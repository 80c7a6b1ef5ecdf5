"""From the files of an attempt that has ended to its outcome."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from wingbeat.base.errors import ErrorKind
from wingbeat.base.units import format_size
from wingbeat.contracts.executor import ErrorInfo, Failed, Outcome, Succeeded, Suspended
from wingbeat.runtime import files, report
from wingbeat.runtime.job import BROKEN, Exit
from wingbeat.runtime.reap import read_exit
from wingbeat.spec.literal import Literals
from wingbeat.types import LimitExceeded, check_depth

DEPTH_MAX = 72
"""Nesting of an ``outputs`` file: that of values (64), and what is around them."""

CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP"})
"""Signals by which a process is ended for what its own code did."""

_literals = msgspec.json.Decoder(Literals)
_error = msgspec.json.Decoder(ErrorInfo)
_suspended = msgspec.json.Decoder(Suspended)


def written(directory: str) -> Outcome | None:
    """The outcome that the attempt's process wrote, None if it wrote none that can be read."""
    try:
        if (data := files.read_file(directory, files.OUTPUTS)) is not None:
            check_depth(data, depth_max=DEPTH_MAX)
            return Succeeded(_literals.decode(data))
        if (data := files.read_file(directory, files.SUSPENDED)) is not None:
            check_depth(data, depth_max=DEPTH_MAX)
            return _suspended.decode(data)
        if (data := files.read_file(directory, files.ERROR)) is not None:
            check_depth(data, depth_max=DEPTH_MAX)
            return Failed(_error.decode(data))
    except (ValueError, LimitExceeded):  # cut off by a power failure, or not written by ours: as if it were not there
        return None
    return None


def ended(directory: str) -> Exit | None:
    """How the attempt's process ended, None if nobody saw it."""
    try:
        data = files.read_file(directory, files.EXIT, bytes_max=2**16)
        return None if data is None else read_exit(data)
    except ValueError:
        return None


def verdict(directory: str, end: Exit | None, memory_bytes: int | None, how: str = "") -> Outcome:
    """The outcome of an attempt of which nothing runs any more; `end` is None if nobody saw its end."""
    outcome = written(directory)
    if isinstance(outcome, Succeeded):
        return Succeeded(outcome.outputs, evidence=evidence_of(end, how) | _reported(directory))
    if isinstance(outcome, Suspended):
        return outcome
    error = outcome.error if isinstance(outcome, Failed) else _without_outcome(directory, end, memory_bytes)
    # Where the log is, and not what it says: evidence is journaled, and a log may hold what must not be kept.
    log = os.path.join(directory, files.LOG)
    evidence = {**evidence_of(end, how), **({"log": log} if os.path.exists(log) else {}), **_reported(directory)}
    return Failed(msgspec.structs.replace(error, evidence={**error.evidence, **evidence}))


def _without_outcome(directory: str, end: Exit | None, memory_bytes: int | None) -> ErrorInfo:
    if end is None:
        return ErrorInfo(
            "Lost",
            "The attempt's process is gone without an outcome, and so is the process that would have seen how it ended "
            "(the machine was restarted, or both were killed).",
            ErrorKind.SYSTEM,
        )
    calling = _calling(directory)
    if calling and (end.signal in CRASHES or (not end.signal and end.exit_code != BROKEN)):
        how = f"was killed by {end.signal}" if end.signal else f"exited with code {end.exit_code}"
        return ErrorInfo("PluginFailed", f"{calling}: the attempt's process {how} in this call", ErrorKind.SYSTEM)
    if end.signal:
        return _by_signal(end, memory_bytes)
    if end.exit_code == BROKEN:
        message = f"The attempt's process could not write its outcome; see {directory}/{files.LOG}."
        return ErrorInfo("OutcomeLost", message, ErrorKind.SYSTEM)
    return ErrorInfo(
        "Exited",
        f"The task's process exited with code {end.exit_code} before its function returned; "
        "user code must not end the process (os._exit, or a library that does).",
    )


def _calling(directory: str) -> str:
    """Which plugin the attempt's process has called when it ended; empty if none."""
    try:
        return (files.read_file(directory, files.CALLING, bytes_max=2**12) or b"").decode(errors="replace")
    except ValueError:
        return ""


def _by_signal(end: Exit, memory_bytes: int | None) -> ErrorInfo:
    if end.oom_kills and end.signal == "SIGKILL":
        limit = f" of {format_size(memory_bytes)}" if memory_bytes else ""
        used = format_size(end.memory_peak_bytes or end.max_rss_bytes)
        message = (
            f"Out of memory: used {used}, over the limit{limit}. Give the task more by resources=Resources(mem=…)."
        )
        return ErrorInfo("OutOfMemory", message)
    if end.signal in CRASHES:
        message = (
            f"The task's process crashed: killed by {end.signal}, which its own code (mostly a native library) caused."
        )
        return ErrorInfo("Crashed", message)
    return ErrorInfo("Killed", f"The task's process was killed by {end.signal} from outside.", ErrorKind.SYSTEM)


def _reported(directory: str) -> dict[str, Any]:
    """The last that the attempt has said of itself."""
    found = report.read(directory)
    return {} if found is None else report.evidence_of(report.progress_of(found, directory))


def evidence_of(end: Exit | None, how: str = "") -> dict[str, Any]:
    """How a process ended, as evidence."""
    found: dict[str, Any] = {"process": how} if how else {}
    if end is None:
        return found
    found |= {"pid": end.pid, "max_rss_bytes": end.max_rss_bytes, "cpu_s": end.cpu_s}
    if end.exit_code is not None:
        found["exit_code"] = end.exit_code
    if end.signal:
        found["signal"] = end.signal
    if end.oom_kills:
        found["oom"] = True
    if end.memory_peak_bytes:
        found["memory_peak_bytes"] = end.memory_peak_bytes
    return found
