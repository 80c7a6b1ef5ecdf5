"""Errors over HTTP, as problem details (RFC 9457): which status stands for which error, and back."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from wingbeat.base import errors
from wingbeat.base.errors import WingbeatError
from wingbeat.contracts.journal import StorageFull

MEDIA_TYPE = "application/problem+json"


class ContentMissing(errors.InputError):
    """A request refers to content that is not here, or not for who asks. Who has it puts it, and asks again."""


_STATUS: tuple[tuple[type[WingbeatError], int], ...] = (
    (errors.Unauthenticated, 401),
    (errors.AccessDenied, 403),
    (errors.NotFound, 404),
    (errors.ConflictError, 409),
    (errors.NoRoom, 409),  # before its base
    (ContentMissing, 422),  # before its base
    (errors.InputError, 422),
    (errors.CompileError, 422),
    (errors.LimitReached, 429),
    (errors.ConfigurationError, 400),
    (StorageFull, 507),
    (errors.EngineStopped, 503),
    (errors.JournalUnknown, 503),
)
_KINDS: dict[str, Callable[..., WingbeatError]] = {
    kind.__name__: kind for kind, _ in _STATUS if kind is not errors.EngineStopped
}


class Problem(Struct, omit_defaults=True):
    """What went wrong.

    Attributes:
        title: The sentence; the whole message where it has several lines is in `detail`.

        code: Name of the error's class.

        hint: What to do about it.

        retry_after_s: After so many seconds there is room again, as the header ``Retry-After`` says it.
    """

    title: str
    status: int
    detail: str = ""
    code: str = ""
    hint: str = ""
    type: str = "about:blank"
    retry_after_s: float = 0.0


def problem_of(error: WingbeatError) -> Problem:
    """An error of ours as it is told."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    title, more, _ = error.message.partition("\n")
    found = Problem(title, status, error.message if more else "", type(error).__name__, error.hint)
    if isinstance(error, errors.LimitReached):
        found.retry_after_s = error.retry_after_s
    return found


def error_of(problem: Problem) -> WingbeatError:
    """The error again."""
    kind, message = _KINDS.get(problem.code, WingbeatError), problem.detail or problem.title
    if kind is errors.LimitReached:
        return errors.LimitReached(message, hint=problem.hint, retry_after_s=problem.retry_after_s)
    return kind(message, hint=problem.hint)
