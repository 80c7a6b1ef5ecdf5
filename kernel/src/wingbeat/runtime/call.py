"""The call itself: inputs in, the user's function inside its wrappers, outputs out."""

from __future__ import annotations

import importlib
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.executor import Suspended
from wingbeat.contracts.gang import Member
from wingbeat.contracts.wrapper import Wrapper
from wingbeat.runtime.blobio import AttemptIO
from wingbeat.runtime.errors import AttemptInputError
from wingbeat.runtime.job import Job
from wingbeat.runtime.load import find_function, hints
from wingbeat.runtime.outputs import encode_outputs
from wingbeat.spec.entities import WrapperSpec
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.whole import materialise
from wingbeat.types import LimitExceeded, ValueMismatch, codec

read_literals = msgspec.json.Decoder(Literals).decode


class Attempt(Struct):
    """What a wrapper may know of the attempt (`wingbeat.contracts.wrapper.AttemptInfo`)."""

    id: str
    directory: str
    cpu: float | None
    memory_bytes: int | None
    member: Member | None = None


def perform(job: Job, inputs: bytes, io: AttemptIO) -> Literals | Suspended:
    """Run the task's function and return its encoded outputs; or for what the body of a dynamic workflow waits.

    Raises what user code raised.
    """
    function = find_function(job.module, job.function)
    literals = read_literals(inputs)
    if not job.wrappers:
        return _invoke(job, function, literals, {}, io)
    with _wrapped(job) as offers:
        return _invoke(job, function, literals, offers, io)


def _invoke(
    job: Job, function: Callable[..., Any], literals: Literals, offers: dict[type | str, Any], io: AttemptIO
) -> Literals | Suspended:
    annotations = hints(function)
    arguments = {name: _decode(job, name, literal, annotations, io) for name, literal in literals.items()}
    if offers:
        arguments |= _offered(function, annotations, offers, arguments)
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


def _offered(
    function: Callable[..., Any], annotations: dict[str, Any], offers: dict[type | str, Any], given: dict[str, object]
) -> dict[str, object]:
    """Values from the wrappers for parameters that are no inputs: by the parameter's name, else by its type."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    found: dict[str, object] = {}
    for name in names:
        if name in given:
            continue
        if name in offers:
            found[name] = offers[name]
        elif (kind := _kind(annotations.get(name), offers)) is not None:
            found[name] = offers[kind]
    return found


def _kind(hint: Any, offers: dict[type | str, Any]) -> type | None:
    """The offered class that an annotation asks for; one that could not be evaluated is compared by its name."""
    for kind in offers:
        if not isinstance(kind, type):
            continue
        if kind is hint or (isinstance(hint, type) and issubclass(kind, hint) and hint is not object):
            return kind
        if isinstance(hint, str) and hint.rpartition(".")[2] == kind.__name__:
            return kind
    return None


@contextmanager
def _wrapped(job: Job) -> Iterator[dict[type | str, Any]]:
    """Enter the task's wrappers in order, yield all that they offer, leave them in the opposite order."""
    info = Attempt(job.id, job.shown, job.cpu, job.memory_bytes, job.member)
    offers: dict[type | str, Any] = {}
    entered: list[Wrapper] = []
    error: BaseException | None = None
    try:
        for spec in job.wrappers:
            wrapper = _load_wrapper(spec)
            offers |= wrapper.enter(info)
            entered.append(wrapper)
        yield offers
    except BaseException as raised:
        error = raised
        raise
    finally:
        for wrapper in reversed(entered):
            try:
                wrapper.leave(error)
            except Exception:  # noqa: BLE001 - the function's own end is what counts; this goes to the log
                traceback.print_exc(file=sys.stderr)


def _load_wrapper(spec: WrapperSpec) -> Wrapper:
    module, _, name = spec.target.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The wrapper {spec.name!r} of the task ({spec.target}) cannot be imported in its environment: {error}.",
            hint=f"Install the distribution that provides {module.partition('.')[0]!r} in the task's environment.",
        ) from error
    wrapper: Wrapper = made(spec.config)
    return wrapper
