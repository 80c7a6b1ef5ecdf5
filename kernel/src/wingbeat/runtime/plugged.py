"""Calls of plugins inside an attempt's process: each comes to an end, and what goes wrong is told behind the plugin's name.

A call in here cannot be cancelled: it is made in the thread that calls the user's function, may not return from the machine code
of a library, and may catch what it is interrupted with. So nothing is raised into one that takes too long. A thread beside it
writes what the attempt has come to, and ends the process, as whoever cancels an attempt does. A process that is not an attempt's
alone (the embedder's own) waits.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NamedTuple

from wingbeat.base.errors import PluginFailed
from wingbeat.runtime import files
from wingbeat.types.registry import set_within

SECRET_S_MAX = 60.0
"""So long may a source of secrets take to be made, or for a secret."""
WRAPPER_S_MAX = 600.0
"""So long may a wrapper take to be entered, or left: a session waits for the machines of a busy cluster."""
IMPORT_S_MAX = 600.0
"""So long may the import of a type's handler take, or of the plugins when a type is not known: some are large, and far away."""
CONTENT_S_MAX = 3600.0
"""So long may a storage take for what it is asked: content may be large, and far away."""
VALUE_S_MAX = 3600.0
"""So long may a type take to write or read a value."""
MARGIN_S = 1.0
"""So long before the task's timeout a call is ended that has taken most of it."""
OWN = frozenset({"wingbeat", "wingbeat_spark", "wingbeat_tensorflow"})
"""Packages whose types are known to end. What they compute while they write is the author's, and so is what that raises."""


class Plugin(NamedTuple):
    """A plugin, for messages.

    Attributes:
        told: What it is to people: ``The wrapper 'spark'``.

        target: ``module:attribute``.
    """

    told: str
    target: str

    @property
    def named(self) -> str:
        """What it is, and which distribution it comes from; where nobody knows, its place."""
        from wingbeat.runtime.distributions import distribution_with  # for errors only

        return f"{self.told} ({distribution_with(self.target) or self.target})"

    def failed(self, call: str, why: str) -> PluginFailed:
        """The error that says so."""
        return PluginFailed(f"{self.named} failed ({call}): {why}")


_End = Callable[[object], None]


class _Attempt(NamedTuple):
    pid: int
    end: _End
    run_s: float
    until: float
    folder: str
    calls: list[_Deadline]

    def note(self) -> None:
        """Say which plugin is called now, if one is, for whoever finds that this process has ended in there."""
        path = f"{self.folder}/{files.CALLING}"
        with suppress(OSError):
            if not self.calls:
                os.unlink(path)
                return
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            try:
                os.write(fd, self.calls[-1].told.encode(errors="replace"))
            finally:
                os.close(fd)


_attempt: _Attempt | None = None
"""The attempt whose process this is, or was forked from."""


def end_by(end: _End, run_s: float | None = None, *, folder: str) -> None:
    """Have this process, which is an attempt's, be ended by `end` when a call takes too long: it is given what the attempt has
    come to, an error or what its function gave.

    Args:
        run_s: The task's timeout. A call that takes most of it is ended before it is over, as the timeout would name nobody.

        folder: That of the attempt, where it is written which plugin is called.
    """
    global _attempt  # noqa: PLW0603  # a process is one attempt's
    run_s = math.inf if run_s is None else run_s
    _attempt = _Attempt(
        os.getpid(), end, run_s, time.monotonic() + run_s - min(MARGIN_S, run_s / 4), folder=folder, calls=[]
    )
    set_within(_imported)


def is_theirs(error: BaseException) -> bool:
    """Whether what came out of a plugin's call is the plugin's failure: whatever it is, also a `CancelledError`, as a call without
    an await is not cancelled from outside; but for a Ctrl-C, which Python raises in the main thread of a process that is not an
    attempt's."""
    return (
        not isinstance(error, KeyboardInterrupt)
        or _attempt is not None
        or threading.current_thread() is not threading.main_thread()
    )


def ask(
    plugin: Plugin,
    asked: Any,
    call: str,
    *args: Any,
    seconds: float,
    kind: type = object,
    passing: tuple[type[BaseException], ...] = (),
    come_to: object = None,
) -> Any:
    """What a call of a plugin answers.

    Args:
        asked: The object that is called, which may say by `patience_s` that it takes longer than `seconds`, or must not.

        kind: Of what class the answer has to be.

        passing: What it may raise by its contract.

        come_to: What the attempt has come to if it does not answer; else that is its failure.

    Raises:
        PluginFailed: It has raised anything else, or answers with another class.
    """
    try:
        with _Deadline(plugin, call, patience_of(asked, seconds), come_to):
            answer = getattr(asked, call)(*args)
    except BaseException as error:
        if isinstance(error, (MemoryError, PluginFailed, *passing)) or not is_theirs(error):
            raise
        raise plugin.failed(call, f"{type(error).__name__}: {error}") from error
    if not isinstance(answer, kind):
        raise plugin.failed(call, f"it answers with {kind_of(answer)}, not with {kind.__name__}")
    return answer


def deadline(plugin: Plugin, asked: Any, call: str, seconds: float) -> AbstractContextManager[None]:
    """Around a call that is made otherwise than by `ask`: within it, the call has to come to an end in time. What it raises is its
    own."""
    return (
        nullcontext()
        if plugin.target.partition(".")[0] in OWN
        else _Deadline(plugin, call, patience_of(asked, seconds), None)
    )


def noted(plugin: Plugin, call: str) -> AbstractContextManager[None]:
    """Around a call that comes to an end by who makes it: an attempt's process that ends within it has ended in that call."""
    return nullcontext() if plugin.target.partition(".")[0] in OWN else _Deadline(plugin, call, math.inf, None)


def _imported(told: str, target: str, make: Callable[[], Any]) -> Any:
    """What is imported of a plugin, in time; see `wingbeat.types.registry.imported`. What it raises is its own."""
    if target.partition(".")[0] in OWN:
        return make()
    with _Deadline(Plugin(told, target), "import", patience_of(None, IMPORT_S_MAX), None):
        return make()


def kind_of(value: object) -> str:
    """What a value is, for messages."""
    return "None" if value is None else type(value).__name__


def patience_of(asked: object, seconds: float) -> float:
    """How long a call of `asked` may take: what it says itself, else `seconds`; unless that is without end, it must not take most
    of the task's timeout."""
    limit = float(getattr(asked, "patience_s", seconds))
    if _attempt is not None and math.inf > limit > (left := _attempt.until - time.monotonic()) > _attempt.run_s / 2:
        return left
    return limit if limit < threading.TIMEOUT_MAX else math.inf


class _Deadline(AbstractContextManager[None]):
    """Around a call: ends the process unless the call ends in time. Its thread is gone before anything else is called, which may
    fork."""

    def __init__(self, plugin: Plugin, call: str, seconds: float, come_to: object) -> None:
        self._plugin, self._call, self._seconds, self._come_to = plugin, call, seconds, come_to
        self._caller = threading.get_ident()
        self._answered, self._ending = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if _attempt is None or _attempt.pid != os.getpid():
            return
        _attempt.calls.append(self)
        _attempt.note()
        if self._seconds < math.inf:
            self._thread = threading.Thread(target=self._wait, args=(_attempt.end,), name="deadline", daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            with self._ending:  # held for good by who ends the process
                self._answered.set()
            self._thread.join()
        if _attempt is not None and self in _attempt.calls and _attempt.pid == os.getpid():
            _attempt.calls.remove(self)
            _attempt.note()

    @property
    def told(self) -> str:
        """Which call it is, for people: ``The wrapper 'spark' (acme.spark:Session) failed (enter)``."""
        return f"{self._plugin.told} ({self._plugin.target}) failed ({self._call})"

    def _wait(self, end: _End) -> None:
        if self._answered.wait(self._seconds):
            return
        with self._ending:
            if not self._answered.is_set():
                self._overdue(end)

    def _overdue(self, end: _End) -> None:
        error = self._plugin.failed(self._call, f"it did not answer within {self._seconds:.3g} s")
        frame = sys._current_frames().get(self._caller)  # noqa: SLF001  # documented
        if frame is not None:
            error.at = traceback.extract_stack(frame)
        if self._come_to is None:
            end(error)
        else:
            os.write(2, f"{error}\n".encode())
            end(self._come_to)
