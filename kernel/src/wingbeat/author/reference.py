"""``reference``: what another team has registered, to be used as if it were one's own."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from wingbeat.author.compose import Callee
from wingbeat.author.constants import TypeOnly, constant
from wingbeat.author.dynamic import dispatch
from wingbeat.author.signature import Signature
from wingbeat.author.source import caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.codec import canonical
from wingbeat.spec.definition import Definition, read_definition
from wingbeat.spec.entities import StoredDefinition
from wingbeat.spec.identity import parse_identity
from wingbeat.types import Blob, BlobIO, UnsupportedType, ValueMismatch, compatible, convert
from wingbeat.types.returns import Output

_defined: ContextVar[Mapping[str, Definition]] = ContextVar("defined", default={})  # noqa: B039  # which nobody changes


class NotDefined(CompileError):
    """A reference is compiled whose definition is not at hand; `reference` is what it is to.

    Whoever compiles asks the admin for it, and compiles again.
    """

    def __init__(self, message: str, *, reference: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reference = reference


def reference(id: str, /, *, plain: Callable[..., Any] | None = None) -> Reference:
    """A task, workflow or launch plan that is registered as `id`: ``project/domain/name@version``.

    It is called as one of your own, in static and dynamic workflows, by `map_task` and with `after`; its types are checked when
    the caller is compiled. It runs as it was registered: from its own code bundle, in its own environment. A launch plan is an
    execution of its own.

    Args:
        plain: What stands for it where it is called as plain Python, as in a unit test.

    Raises:
        CompileError: The id is none, or names no version.
    """
    where = caller()
    try:
        parse_identity(id)
    except InputError as error:
        raise CompileError(f"reference: {error.message} ({where}): {where.text}", hint=error.hint) from error
    return Reference(id, plain, where)


class Reference(Callee):
    """What `reference` gives."""

    fn = None
    """There is no function here; the fingerprint of what names it has its id, for which all is fixed."""

    def __init__(self, id: str, plain: Callable[..., Any] | None, where: Any) -> None:
        self.name, self.where = id, where
        self._plain = plain

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return dispatch(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<reference {self.name}>"

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        """What stands for it. Raises CompileError if nothing does."""
        if self._plain is None:
            raise CompileError(
                f"{self.name} runs where it is registered, not as plain Python ({self.where}): {self.where.text}",
                hint="Give what stands for it in a unit test: reference(…, plain=function).",
            )
        return self._plain(*args, **kwargs)

    @property
    def definition(self) -> Definition:
        """What is registered. Raises NotDefined."""
        found = _defined.get().get(self.name)
        if found is None:
            raise NotDefined(
                f"It is not known what is registered as {self.name} ({self.where}): {self.where.text}",
                reference=self.name,
                hint="It is asked of the admin when a file is compiled, and when a program launches by a kernel.",
            )
        return found

    @property
    def signature(self) -> Signature:
        """The typed interface that is registered. Raises NotDefined."""
        interface = self.definition.interface
        outputs = [Output(v.name, Registered(v.type)) for v in interface.outputs]
        several = len(outputs) > 1 or [o.name for o in outputs] not in ([], ["o0"])
        return Signature.of(
            self.name,
            self.where,
            {v.name: Registered(v.type) for v in interface.inputs},
            outputs,
            {v.name: v.default for v in interface.inputs if not v.required},
            namedtuple("Outputs", [o.name for o in outputs], rename=True) if several else None,  # noqa: PYI024  # names of others
        )


class Registered(TypeOnly):
    """The codec of a value whose type somebody else has declared: takes plain data, and Python values of a type that fits."""

    def encode(self, value: object, io: BlobIO) -> Any:
        """Raises ValueMismatch."""
        try:
            return super().encode(value, io)
        except ValueMismatch:
            try:
                own, wire = constant(value, io)
            except (UnsupportedType, ValueMismatch):
                own = None
            if own is None or compatible(own, self.type) is not None:
                raise
            return convert(wire, own, self.type)


def store(definition: Definition, io: BlobIO) -> StoredDefinition:
    """Store a definition for bodies of dynamic workflows that call it."""
    path = io.scratch("definition.json")
    with open(path, "wb") as file:
        file.write(canonical(definition))
    try:
        blob = io.put_file(path, "definition.json")
        return StoredDefinition(blob.uri, blob.digest, blob.size)
    finally:
        os.unlink(path)


def stored(where: StoredDefinition, io: BlobIO) -> Definition:
    """A definition that was stored."""
    with open(io.fetch(Blob(where.uri, where.digest, where.size, "definition.json")), "rb") as file:
        return read_definition(file.read())


@contextmanager
def defined(definitions: Mapping[str, Definition]) -> Iterator[None]:
    """While entered, references stand for these."""
    token = _defined.set(definitions)
    try:
        yield
    finally:
        _defined.reset(token)
