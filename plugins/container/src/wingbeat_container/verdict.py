"""From what was seen of a container to why its attempt failed. Pure: a table, one row for each thing that can be observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import ErrorKind
from wingbeat.base.units import format_size
from wingbeat.spec.outcome import ErrorInfo

SIGNALS = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
           9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM", 31: "SIGSYS"}  # fmt: skip
CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP"})
BROKEN = 78
"""Exit code of a Python task whose outcome could not be written."""
_NO_PROGRAM = ("no such file or directory", "executable file not found", "permission denied", "not found in $path")


class End(Struct, frozen=True, omit_defaults=True):
    """What was seen of a container that does not run any more.

    Attributes:
        started: Whether it ever ran.

        exit_code: Of its first process; over 128 it is a signal.

        oom: Whether the engine says that it was killed for want of memory.

        oom_kills: How often the machine killed in it for want of memory, as far as somebody looked.

        memory_peak_bytes: The most memory that was seen in use.

        message: What the engine says, mostly of why it did not start.

        memory_bytes: Its limit.

        program: What was to run.
    """

    started: bool = True
    exit_code: int = 0
    oom: bool = False
    oom_kills: int = 0
    memory_peak_bytes: int = 0
    message: str = ""
    memory_bytes: int | None = None
    program: str = ""

    @property
    def signal(self) -> str:
        """The signal that ended it, as far as its exit code tells."""
        return SIGNALS.get(self.exit_code - 128, "") if self.exit_code > 128 else ""

    @property
    def out_of_memory(self) -> bool:
        """Whether it was killed for want of memory, or something in it was and it failed then."""
        return self.oom or (self.oom_kills > 0 and self.exit_code != 0)


_Row = tuple[str, Callable[[End], bool], Callable[[End], ErrorInfo]]


def _out_of_memory(end: End) -> ErrorInfo:
    limit = f" of {format_size(end.memory_bytes)}" if end.memory_bytes else ""
    used = f"used {format_size(end.memory_peak_bytes)}, " if end.memory_peak_bytes else ""
    message = f"Out of memory: {used}over the limit{limit}. Give the task more by resources=Resources(mem=…)."
    return ErrorInfo("OutOfMemory", message)


def _no_program(end: End) -> ErrorInfo:
    message = f"The image has no program {end.program!r} that can be run: {end.message}"
    return ErrorInfo("ImageUnfit", message, retryable=False)


def _killed(end: End) -> ErrorInfo:
    doubt = ""
    if end.signal == "SIGKILL" and end.memory_bytes:
        doubt = f" (or it went over its {format_size(end.memory_bytes)} of memory, which nobody saw)"
    return ErrorInfo("Killed", f"The container was killed by {end.signal} from outside{doubt}.", ErrorKind.SYSTEM)


TABLE: tuple[_Row, ...] = (
    (
        "there is no such program",
        lambda end: not end.started and any(text in end.message.lower() for text in _NO_PROGRAM),
        _no_program,
    ),
    (
        "it did not start",
        lambda end: not end.started,
        lambda end: ErrorInfo("NotStarted", f"The container did not start: {end.message}", ErrorKind.SYSTEM),
    ),
    ("out of memory", lambda end: end.out_of_memory, _out_of_memory),
    (
        "its own code crashed it",
        lambda end: end.signal in CRASHES,
        lambda end: ErrorInfo(
            "Crashed", f"The container's process crashed: it was killed by {end.signal}, which its own code caused."
        ),
    ),
    ("killed from outside", lambda end: end.signal in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"), _killed),
    (
        "it said that it failed",
        lambda end: end.exit_code != 0,
        lambda end: ErrorInfo("Exited", f"The container exited with code {end.exit_code}; its log says more."),
    ),
)
"""Each row: what it is, whether it is that, and the error. The first that fits counts."""


def failure(end: End) -> ErrorInfo | None:
    """Why an attempt failed that left no error of its own; None if its container ended well."""
    return next((error(end) for _, fits, error in TABLE if fits(end)), None)


def without_outcome(end: End) -> ErrorInfo:
    """Why a Python task failed that has written neither outputs nor an error."""
    if end.exit_code == BROKEN:
        return ErrorInfo(
            "OutcomeLost", "The attempt's process could not write its outcome; see its log.", ErrorKind.SYSTEM
        )
    if (found := failure(end)) is not None and found.code != "Exited":
        return found
    return ErrorInfo(
        "Exited",
        f"The task's process exited with code {end.exit_code} before its function returned; see its log. "
        "User code must not end the process (os._exit, or a library that does).",
    )


LOST = ErrorInfo(
    "Lost", "The attempt's container is gone without an outcome: somebody removed it, or the machine was restarted.",
    ErrorKind.SYSTEM,
)  # fmt: skip


def evidence(end: End) -> dict[str, Any]:
    """What stays in the evidence."""
    found: dict[str, Any] = {}
    if end.started:
        found["exit_code"] = end.exit_code
    if end.signal:
        found["signal"] = end.signal
    if end.oom or end.oom_kills:
        found["oom"] = True
    if end.memory_peak_bytes:
        found["memory_peak_bytes"] = end.memory_peak_bytes
    if end.memory_bytes:
        found["memory_limit_bytes"] = end.memory_bytes
    return found
