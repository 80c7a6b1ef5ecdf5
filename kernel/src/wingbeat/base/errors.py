"""The error classes of the kernel and how they read.

::

    WingbeatError
     ├── CompileError            what an author wrote cannot become a spec; nothing ran
     ├── InputError              a launch was given a wrong or missing input (also a TypeError)
     ├── ConfigurationError      a setting, a plugin or a file of the user's is wrong
     ├── NotFound                an execution, a node or an entity that does not exist
     │    └── SetAside           an execution that cannot be read now, and is tried again
     ├── ConflictError           the same name with another content
     ├── AccessDenied            whoever asks may not do this
     │    └── Unauthenticated    whoever asks has not proved who they are
     ├── LimitReached            there are as many already as may be; nothing was done
     │    └── NoRoom             and to wait makes no room
     ├── ExecutionFailed         an execution ended without success
     ├── PluginFailed            a plugin in the process of an attempt has failed, by no fault of the author's
     ├── JournalUnknown          the journal's answer was lost: the outcome of a commit is not known
     │    └── JournalDamaged     other bytes are in the journal than were written
     └── EngineStopped           the engine stopped while something waited for it
    NonRetryable                 raised by user code: do not retry this
"""

from __future__ import annotations

import enum
from typing import Any


class ErrorKind(enum.StrEnum):
    """Who has to act: the author of the code (USER) or the operator of the system (SYSTEM)."""

    USER = "USER"
    SYSTEM = "SYSTEM"


class WingbeatError(Exception):
    """Root of the kernel's own errors.

    Args:
        message: What was wrong and where, in one sentence.

        hint: What to do about it; printed on its own line.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class CompileError(WingbeatError):
    """What an author wrote cannot become a spec. Raised before anything runs.

    Args:
        findings: Every finding of the compile, each a sentence with the user's file and line.
    """

    def __init__(self, *findings: str, hint: str = "") -> None:
        super().__init__("\n".join(findings), hint=hint)
        self.findings = findings


class InputError(WingbeatError, TypeError):
    """A launch was given an input that is unknown, missing or of another type."""


class ConfigurationError(WingbeatError):
    """A setting, a plugin or a file of the user's cannot be used as it is."""


class NotFound(WingbeatError, LookupError):
    """An execution, node or entity of that name does not exist."""


class SetAside(NotFound):
    """An execution that has not ended could not be read when the home was opened. It is tried again, and goes on then."""


class ConflictError(WingbeatError):
    """The name is taken by something with another content."""


class AccessDenied(WingbeatError):
    """Whoever asks may not do this. Nothing was done."""


class Unauthenticated(AccessDenied):
    """Whoever asks has not proved who they are: without a key, or with one that is not taken (any more)."""


class LimitReached(WingbeatError):
    """There are as many already as may be: of executions under way, and this one does not wait; of launches within a minute; of
    what is registered. Nothing was done.

    Args:
        retry_after_s: After so many seconds there is room again, if nobody else takes it; 0 where nobody knows.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class NoRoom(LimitReached):
    """There are as many already as may be of what stays: versions under a quota, keys, grants, settings. To try again does not
    help: somebody has to make room, or to allow more. Nothing was done."""


class PluginFailed(WingbeatError):
    """A plugin that is called inside an attempt's process (a wrapper, a type) has raised, hangs, or answers with what is none of
    its contract. The message names it. The attempt has failed by the system, and is tried again.

    Attributes:
        at: Where it hangs, outermost first: a `traceback.StackSummary`. None if it does not.
    """

    at: Any = None


class JournalUnknown(WingbeatError):
    """The journal failed while committing: whether the commit took place is not known.

    The engine stops at once, because going on could act on facts that are not there. Opening the home again reads what is.
    """


class JournalDamaged(JournalUnknown):
    """What the journal has of an execution is not what was written. Reading it again gives the same."""


class EngineStopped(WingbeatError):
    """The engine stopped (closed, or failed) before what was waited for happened. Executions go on at the next start."""


class ExecutionFailed(WingbeatError):
    """An execution ended without success.

    Attributes:
        execution: Id of the execution.

        node: Id of the node that decided it, or ``""``.

        code: Short stable name of the error, for example ``ValueError`` or ``TimedOut``.

        kind: ``"USER"`` or ``"SYSTEM"``.

        retryable: Whether trying again can help.

        message: The error's own text.
    """

    def __init__(
        self,
        message: str,
        *,
        execution: str,
        node: str = "",
        code: str = "",
        kind: str = "USER",
        retryable: bool = True,
    ) -> None:
        super().__init__(message)
        self.execution = execution
        self.node = node
        self.code = code
        self.kind = kind
        self.retryable = retryable

    def __str__(self) -> str:
        where = f"{self.execution}/{self.node}" if self.node else self.execution
        return f"{where}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_execution_failed, (self.message, vars(self)))


def _execution_failed(message: str, attributes: dict[str, Any]) -> ExecutionFailed:
    made = ExecutionFailed(message, execution="")
    vars(made).update(attributes)
    return made


class NonRetryable(Exception):
    """Raise it (or a subclass) inside a task when trying again is of no use."""
