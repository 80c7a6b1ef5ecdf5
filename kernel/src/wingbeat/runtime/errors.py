"""From what user code raised to what is reported: a code, a message with its line, a trace without frames of ours."""

# file names of frames, as the interpreter writes them

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable

from wingbeat.base.errors import ConfigurationError, ErrorKind, ExecutionFailed, NonRetryable, PluginFailed
from wingbeat.contracts.executor import ErrorInfo
from wingbeat.contracts.storage import StorageFailed
from wingbeat.runtime.outputs import OutputError

TRACE_CHARS_MAX = 32_000
MESSAGE_CHARS_MAX = 4_000
MACHINE_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""Of an OSError that the operator has to do something about, whoever met it."""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS = tuple(os.path.join(_PACKAGE, room) + os.sep for room in ("runtime", "author", "types"))
"""Rooms whose frames are around those of the user."""
_ASYNCIO = os.path.join(os.path.dirname(traceback.__file__), "asyncio") + os.sep
"""Frames of its loop stand before those of a coroutine."""
_HIDDEN = ("<frozen importlib", "<frozen runpy")


class AttemptInputError(Exception):
    """An input cannot be given to the function. `kind` says who has to act, `code` what it is."""

    def __init__(self, message: str, code: str, kind: ErrorKind, *, retryable: bool) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.retryable = retryable


def describe(
    error: BaseException, bundle: str = "", memory_limit: int | None = None, mask: Callable[[str], str] = str
) -> ErrorInfo:
    """The error of an attempt whose function, or its preparation, raised `error`; `mask` takes secrets out of its texts."""
    if isinstance(error, AttemptInputError):
        trace = _trace(error.__cause__, bundle, mask)
        return ErrorInfo(error.code, mask(str(error)), error.kind, error.retryable, trace)
    if isinstance(error, PluginFailed):
        trace = _stands(error, bundle, mask) or _trace(error.__cause__, bundle, mask)
        return ErrorInfo(type(error).__name__, _text(error, mask), ErrorKind.SYSTEM, trace=trace)
    if isinstance(error, OutputError):
        return ErrorInfo("TypeError", mask(str(error)))
    if isinstance(error, MemoryError) and memory_limit is not None:
        message = f"Out of memory: the limit is {memory_limit} bytes. Give the task more by resources=Resources(mem=…)."
        return ErrorInfo("OutOfMemory", message, trace=_trace(error, bundle, mask))
    if isinstance(
        error, ConfigurationError
    ):  # it says itself what is wrong where; the frames are those of who found it
        return ErrorInfo(type(error).__name__, _text(error, mask), retryable=False)
    if (failed := _call_of_the_body(error)) is not None:
        kind, trace = ErrorKind(failed.kind), _trace(error, bundle, mask)
        return ErrorInfo(failed.code, mask(failed.message), kind, failed.retryable, trace, node=failed.node)
    if isinstance(error, StorageFailed):  # whoever met it: the frames of the task that lead there are in the trace
        return ErrorInfo(type(error).__name__, _text(error, mask), ErrorKind.SYSTEM, trace=_trace(error, bundle, mask))
    kind = ErrorKind.SYSTEM if isinstance(error, OSError) and error.errno in MACHINE_TROUBLE else ErrorKind.USER
    retryable = not isinstance(error, NonRetryable)
    message = _text(error, mask)
    where = _where(error, bundle)
    if where and f"({os.path.basename(where).partition(':')[0]}:" not in message:
        message = f"{message} ({where})"
    return ErrorInfo(mask(type(error).__name__), message, kind, retryable, trace=_trace(error, bundle, mask))


def _call_of_the_body(error: BaseException) -> ExecutionFailed | None:
    """The failed call that a body lets through, which is why it fails; of a group of such, as a `TaskGroup` makes, the first."""
    if isinstance(error, BaseExceptionGroup):
        calls = [_call_of_the_body(each) for each in error.exceptions]
        return calls[0] if None not in calls else None
    if isinstance(error, ExecutionFailed) and error.execution == os.environ.get("WINGBEAT_EXECUTION"):
        return error
    return None


def _text(error: BaseException, mask: Callable[[str], str]) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise; the error itself matters more
        text = ""
    if isinstance(error, SystemExit):
        text = f"The task called sys.exit({text}); a task ends by returning or raising."
    return mask(text or type(error).__name__)[:MESSAGE_CHARS_MAX]  # masked whole: a part of a secret is not recognised


def _where(error: BaseException, bundle: str) -> str:
    """File and line of the innermost frame that is in the bundle, else of the innermost that is not ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _users(f.filename)]
    own = [f for f in frames if bundle and f.filename.startswith(bundle + os.sep)]
    if not frames:
        return ""
    frame = (own or frames)[-1]
    return f"{_short(frame.filename, bundle)}:{frame.lineno}"


def _trace(error: BaseException | None, bundle: str, mask: Callable[[str], str]) -> str:
    if error is None:
        return ""
    try:
        tree = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        _walk(tree, _clean)
        if not tree.stack and tree.__cause__ is None and tree.exceptions is None:
            return ""
        text = "".join(tree.format())
    except Exception:  # noqa: BLE001 - foreign exceptions can break their own formatting; the message is there already
        text = "".join(traceback.format_tb(error.__traceback__))
    if bundle:
        text = text.replace(f'File "{bundle}{os.sep}', 'File "')
    text = mask(text)
    if len(text) > TRACE_CHARS_MAX:
        half = TRACE_CHARS_MAX // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return text


def _stands(error: PluginFailed, bundle: str, mask: Callable[[str], str]) -> str:
    """Where a plugin hangs."""
    frames = [frame for frame in error.at or () if _users(frame.filename)]
    if not frames:
        return ""
    text = "".join(["It stands here (most recent call last):\n", *traceback.StackSummary.from_list(frames).format()])
    return mask(text.replace(f'File "{bundle}{os.sep}', 'File "') if bundle else text)[-TRACE_CHARS_MAX:]


def _clean(tree: traceback.TracebackException) -> None:
    frames = [frame for frame in tree.stack if _users(frame.filename)]
    if not frames and not _told_by_us(tree.exc_type):
        frames = list(tree.stack)  # a mistake of ours
    first = next((i for i, frame in enumerate(frames) if not frame.filename.startswith(_ASYNCIO)), 0)
    tree.stack = traceback.StackSummary.from_list(frames[first:])


def _told_by_us(kind: type[BaseException] | None) -> bool:
    """Whether an error is of a class of ours, whose message says all that there is to say."""
    return kind is None or kind.__module__.startswith("wingbeat.")


def _walk(tree: traceback.TracebackException, visit: Callable[[traceback.TracebackException], None]) -> None:
    waiting, seen = [tree], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        visit(current)
        waiting += [e for e in (current.__cause__, current.__context__) if e is not None]
        waiting += current.exceptions or []


def _users(filename: str) -> bool:
    return not filename.startswith(_OURS) and not filename.startswith(_HIDDEN)


def _short(filename: str, bundle: str) -> str:
    return filename.removeprefix(bundle + os.sep) if bundle else filename
