"""The call itself: inputs in, the user's function inside its wrappers, outputs out."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Suspended
from wingbeat.runtime.blobio import AttemptIO
from wingbeat.runtime.errors import AttemptInputError
from wingbeat.runtime.job import Job
from wingbeat.runtime.load import find_function, hints
from wingbeat.runtime.outputs import encode_outputs
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.whole import materialise
from wingbeat.types import LimitExceeded, ValueMismatch, codec

if TYPE_CHECKING:
    from wingbeat.runtime.wrapped import Wrapped

read_literals = msgspec.json.Decoder(Literals).decode


def perform(job: Job, inputs: bytes, io: AttemptIO) -> Literals | Suspended:
    """Run the task's function and return its encoded outputs; or for what the body of a dynamic workflow waits.

    Raises what user code raised.
    """
    function = find_function(job.module, job.function)
    literals = read_literals(inputs)
    if not job.wrappers:
        return _invoke(job, function, literals, None, io)
    from wingbeat.runtime.wrapped import Wrapped  # not for what most tasks are

    wrapped = Wrapped(job)
    outcome: Literals | Suspended | BaseException | None = None
    try:
        wrapped.enter()
        outcome = found = _invoke(job, function, literals, wrapped, io)
    except BaseException as error:
        outcome = error
        raise
    finally:
        wrapped.leave(outcome)
    return found


def _invoke(
    job: Job, function: Callable[..., Any], literals: Literals, wrapped: Wrapped | None, io: AttemptIO
) -> Literals | Suspended:
    annotations = hints(function)
    arguments = {name: _decode(job, name, literal, annotations, io) for name, literal in literals.items()}
    if wrapped is not None:
        arguments |= wrapped.offered(function, annotations, arguments)
    if job.replay is not None:
        from wingbeat.runtime.turn import run_turn

        value = run_turn(function, arguments, job.replay, io)
        if isinstance(value, Suspended):
            return value
    else:
        value = _in_task(job.task, function, arguments)
    if isinstance(value, types.CoroutineType):
        import asyncio

        value = asyncio.run(value)
    if job.member is not None and not job.member.first:
        return {}  # dropped before it is stored
    hint = annotations.get("return", type(None))
    return encode_outputs(job.task, value, hint, io)


def _in_task(task: str, function: Callable[..., Any], arguments: dict[str, object]) -> Any:
    """Call the function, which can tell meanwhile that it is run as a task."""
    module = sys.modules.get("wingbeat.author.dynamic")
    if module is None:  # what asks for it is not there either
        return function(**arguments)
    inside: ContextVar[str] = module.inside
    token = inside.set(task)
    try:
        return function(**arguments)
    finally:
        inside.reset(token)


def _decode(job: Job, name: str, literal: Literal, annotations: dict[str, Any], io: AttemptIO) -> object:
    where = f"Task {job.task}: input {name}"
    try:
        wire = materialise(literal, io.read)
    except OSError as error:
        raise AttemptInputError(
            f"{where} cannot be read: {error}", "InputLost", ErrorKind.SYSTEM, retryable=True
        ) from error
    except (ValueMismatch, LimitExceeded) as error:
        raise AttemptInputError(f"{where}: {error}", type(error).__name__, ErrorKind.USER, retryable=False) from error
    if name not in annotations:
        raise AttemptInputError(
            f"{where} has no annotated parameter in {job.module}:{job.function}; the code is not that of the spec.",
            "ConfigurationError", ErrorKind.USER, retryable=False,
        )  # fmt: skip
    try:
        return codec(annotations[name]).decode(wire, io)
    except (ValueMismatch, LimitExceeded) as error:
        raise AttemptInputError(f"{where}: {error}", "TypeError", ErrorKind.USER, retryable=False) from error
    except OSError as error:
        raise AttemptInputError(
            f"{where} cannot be read: {error}", "InputLost", ErrorKind.SYSTEM, retryable=True
        ) from error
