"""`wingbeat.step`: calls inside of a task whose results outlive the attempt.

The result of a call is a file in the attempt's checkpoint, so it goes where that goes: to the next attempt, and through
`recover`. Its name is made of the function's qualified name, the digest of its inputs, how often the function was called
with these inputs before, and, for a call inside of another step, of that one. So the order of calls with other inputs does not
matter, and a call with inputs that were not there before is just a call.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, cast

import msgspec
from msgspec import Struct

from wingbeat.author.modules import module_of
from wingbeat.base.errors import CompileError, PluginFailed
from wingbeat.runtime import here
from wingbeat.runtime.inside import current
from wingbeat.runtime.load import hints
from wingbeat.spec.codec import canonical
from wingbeat.types import Codec, LimitExceeded, UnsupportedType, ValueMismatch, check_depth, codec, digest

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = ".steps"
_around: ContextVar[str] = ContextVar("around", default="")
"""Key of the step that is being called."""
_MISSING = object()


class Recorded(Struct, frozen=True):
    """The file of a call. `number`: how often it was made before, with the same inputs, at the same place."""

    step: str
    inputs: str
    number: int
    value: msgspec.Raw


_decode = msgspec.json.Decoder(Recorded).decode


def step(fn: Callable[P, R]) -> Step[P, R]:
    """Record what calls of `fn` inside of an attempt give, so that a later attempt takes it instead of calling again.

    Write ``@step``, or call ``step(fn)(…)``. Outside of an attempt it is the plain function. What `fn` raises is not recorded.

    Args:
        fn: A function, also an async one, with type hints for all of its parameters and its result: inputs and results are
            values as those of tasks are. What it should be called again for has to be among its inputs.

    Raises:
        CompileError: A hint is missing.
    """
    return Step(fn)


class _Typed(NamedTuple):
    """A function's hints, compiled."""

    signature: inspect.Signature
    inputs: dict[str, Codec]
    result: Codec


class Step(Generic[P, R]):
    """A function whose calls are recorded. Made by `step`."""

    def __init__(self, fn: Callable[P, R]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = f"{module_of(fn)}.{fn.__qualname__}"
        self._asynchronous = inspect.iscoroutinefunction(fn)
        signature = inspect.signature(fn)
        for name, parameter in signature.parameters.items():
            if parameter.annotation is inspect.Parameter.empty:
                raise self._untyped(f"parameter {name!r} needs a type hint, by which calls are told apart")
        if signature.return_annotation is inspect.Signature.empty:
            raise self._untyped("its result needs a type hint, by which it is recorded")
        self._signature = signature

    def _untyped(self, what: str) -> CompileError:
        from wingbeat.author.source import location_of  # only for who has made this mistake

        where = location_of(self.fn)
        return CompileError(
            f"step {self.name}: {what} ({where}): {where.text}", hint="def price(city: str) -> float: ..."
        )

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, or take what a call like this one gave before."""
        place = here.found()
        if place is None:
            return self.fn(*args, **kwargs)
        call = _Call(self, self._typed, place, args, kwargs)
        if self._asynchronous:
            return cast(R, self._later(call, args, kwargs))
        value = call.known()
        if value is _MISSING:
            with call.under_way():
                value = self.fn(*args, **kwargs)
            call.record(value)
        return cast(R, value)

    async def _later(self, call: _Call, args: Any, kwargs: Any) -> Any:
        value = call.known()
        if value is _MISSING:
            with call.under_way():
                value = await cast(Any, self.fn(*args, **kwargs))
            call.record(value)
        return value

    @functools.cached_property
    def _typed(self) -> _Typed:
        """Compiled on first use, so that forward references are there. Raises TypeError."""
        found = hints(self.fn)
        inputs = {}
        for name, parameter in self._signature.parameters.items():
            hint: Any = found[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                hint = list[hint]
            elif parameter.kind is parameter.VAR_KEYWORD:
                hint = dict[str, hint]
            inputs[name] = self._codec(f"parameter {name!r}", hint)
        return _Typed(self._signature, inputs, self._codec("its result", found["return"]))

    def _codec(self, what: str, hint: Any) -> Codec:
        try:
            return codec(hint)
        except UnsupportedType as error:
            raise TypeError(f"step {self.name}: {what}: {error}") from error


class _Call:
    """One call, at its place. Its place is taken when the call is made, not when it is awaited."""

    def __init__(self, of: Step[..., Any], typed: _Typed, place: here.Here, args: Any, kwargs: Any) -> None:
        self._of, self._codec, self._io = of, typed.result, place.io
        self._inputs = self._digest(typed, args, kwargs)
        key = hashlib.sha256(f"{_around.get()}\0{of.name}\0{self._inputs}".encode()).hexdigest()[:32]
        self._number = next(place.steps.setdefault(key, count()))
        self._key = f"{key}-{self._number}"
        self._checkpoint = current().checkpoint

    def known(self) -> Any:
        """What the call gave before; `_MISSING` if that is not recorded, or is no value of the result's type any more."""
        data = self._checkpoint.load(f"{FOLDER}/{self._key}")
        if data is None:
            return _MISSING
        try:
            check_depth(data)
            recorded = _decode(data)
            return self._codec.decode(msgspec.json.decode(recorded.value), self._io)
        except (ValueError, ValueMismatch, LimitExceeded, PluginFailed):
            return _MISSING

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """While the function is called: steps that it calls are told apart from those around it."""
        token = _around.set(self._key)
        try:
            yield
        finally:
            _around.reset(token)

    def record(self, value: object) -> None:
        """Record what the call gave, durably. Raises TypeError if it is not of the result's type."""
        try:
            wire = self._codec.encode(value, self._io)
        except ValueMismatch as error:
            raise TypeError(f"step {self._of.name}: its result: {error}") from error
        recorded = Recorded(self._of.name, self._inputs, self._number, msgspec.Raw(canonical(wire)))
        self._checkpoint.save(f"{FOLDER}/{self._key}", msgspec.json.encode(recorded))

    def _digest(self, typed: _Typed, args: Any, kwargs: Any) -> str:
        bound = typed.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        parts = {}
        for name, value in bound.arguments.items():
            made = typed.inputs[name]
            given = list(value) if type(value) is tuple and _is_rest(typed.signature, name) else value
            try:
                parts[name] = digest(made.encode(given, self._io), made.type)
            except ValueMismatch as error:
                raise TypeError(f"step {self._of.name}: argument {name!r}: {error}") from error
        return f"sha256:{hashlib.sha256(canonical(parts)).hexdigest()}"


def _is_rest(signature: inspect.Signature, name: str) -> bool:
    return signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
