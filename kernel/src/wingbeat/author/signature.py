"""A function's typed interface: hints become codecs, return values become named outputs.

``-> X`` is one output ``o0``; ``-> tuple[X, Y]`` is ``o0`` and ``o1``; a NamedTuple gives its field names; ``-> None`` is none.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from wingbeat.author.constants import TypeOnly
from wingbeat.author.docstring import Documented, read_docstring
from wingbeat.author.plugged import load_types
from wingbeat.author.promise import Node
from wingbeat.author.source import Location, location_of
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.spec.entities import Interface, Variable
from wingbeat.types import BlobIO, UnsupportedType, ValueMismatch, annotation_doc, codec, register_fallback
from wingbeat.types.returns import Output, split_return

if typing.TYPE_CHECKING:
    from wingbeat.types import Codec, LiteralType

register_fallback(load_types)


class Signature:
    """What a task or workflow takes and gives.

    Attributes:
        inputs: Hint by input name, in order.

        provided: Parameters that a wrapper fills in; no inputs.

        outputs: Outputs in order.
    """

    def __init__(self, fn: Callable[..., Any], name: str, provides: tuple[str, ...] = ()) -> None:
        self.name, self.where, self._text = name, location_of(fn), fn.__doc__
        self.inputs: dict[str, Any] = {}
        self.provided: list[str] = []
        self.defaults: dict[str, Any] = {}
        hints = self._hints(fn)
        for parameter in inspect.signature(fn).parameters.values():
            self._add(parameter, hints, provides)
        if "return" not in hints:
            raise self._error("has no return annotation", f"Write 'def {fn.__name__}(…) -> TYPE' (None for no output).")
        self.outputs, self._join = split_return(hints["return"])
        self._compile()

    @classmethod
    def of(
        cls,
        name: str,
        where: Location,
        inputs: Mapping[str, Any],
        outputs: Sequence[Output],
        defaults: Mapping[str, Any] | None = None,
        join: Callable[..., Any] | None = None,
    ) -> Signature:
        """A signature that is no function's. Hints may be codecs."""
        made = cls.__new__(cls)
        made.name, made.where, made.provided, made._text = name, where, [], None
        made.inputs, made.defaults = dict(inputs), dict(defaults or {})
        made.outputs, made._join = list(outputs), join
        made._compile()
        return made

    def without(self, names: Collection[str], defaults: Mapping[str, Any]) -> Signature:
        """The same without some inputs, and with more defaults."""
        return Signature.of(
            self.name,
            self.where,
            {n: h for n, h in self.inputs.items() if n not in names},
            self.outputs,
            {n: v for n, v in {**self.defaults, **defaults}.items() if n not in names},
            self._join,
        )

    def _compile(self) -> None:
        self.codecs: dict[str, Codec] = {n: self._codec(n, h, "argument") for n, h in self.inputs.items()}
        self.output_codecs: dict[str, Codec] = {o.name: self._codec(o.name, o.hint, "output") for o in self.outputs}
        self.output_types: dict[str, LiteralType] = {name: codec.type for name, codec in self.output_codecs.items()}

    @property
    def named(self) -> bool:
        """Whether the return value is put together from its outputs: a tuple or NamedTuple, even of one."""
        return self._join is not None

    @cached_property
    def documented(self) -> Documented:
        """The function's docstring: what it says about its parameters, and its description."""
        return read_docstring(self._text, [*self.inputs, *self.provided])

    def _hints(self, fn: Callable[..., Any]) -> dict[str, Any]:
        closure = inspect.getclosurevars(fn).nonlocals if getattr(fn, "__closure__", None) else {}
        try:
            return typing.get_type_hints(fn, localns=dict(closure) or None, include_extras=True)
        except NameError as error:
            raise self._error(
                f"has an annotation that cannot be resolved: {error}", "Import the name at the top."
            ) from error

    def _add(self, parameter: inspect.Parameter, hints: dict[str, Any], provides: tuple[str, ...]) -> None:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise self._error(f"takes {parameter}", "Inputs are named: use a list, a dict or a dataclass instead.")
        if parameter.name not in hints:
            raise self._error(f"argument {parameter.name!r} has no type", f"Write '{parameter.name}: TYPE'.")
        hint = hints[parameter.name]
        if f"{getattr(hint, '__module__', '')}.{getattr(hint, '__qualname__', '')}" in provides:
            self.provided.append(parameter.name)
            return
        self.inputs[parameter.name] = hint
        if parameter.default is not parameter.empty:
            self.defaults[parameter.name] = parameter.default

    def _codec(self, name: str, hint: Any, role: str) -> Codec:
        if isinstance(hint, TypeOnly):
            return hint
        try:
            return codec(hint)
        except UnsupportedType as error:
            raise self._error(f"{role} {name!r}: {error}") from error

    def _error(self, what: str, hint: str = "") -> CompileError:
        return CompileError(f"{self.name} {what} ({self.where}).", hint=hint)

    def interface(self, io: BlobIO) -> Interface:
        """The language-neutral interface. Defaults are encoded, files in them stored."""
        inputs = []
        said = self.documented.arguments
        for name, hint in self.inputs.items():
            variable = Variable(name, self.codecs[name].type, doc=annotation_doc(hint) or said.get(name, ""))
            if name in self.defaults:
                try:
                    default = self.codecs[name].encode(self.defaults[name], io)
                except ValueMismatch as error:
                    raise self._error(f"argument {name!r} has a default of another type: {error}") from error
                variable = Variable(name, variable.type, default=default, doc=variable.doc)
            inputs.append(variable)
        outputs = [Variable(o.name, self.output_codecs[o.name].type, doc=annotation_doc(o.hint)) for o in self.outputs]
        return Interface(tuple(inputs), tuple(outputs))

    def split(self, value: Any) -> dict[str, Any]:
        """The outputs of what the function returned.

        Raises:
            TypeError: It is not a tuple of that many values.
        """
        if not self.outputs:
            if value is not None:
                raise TypeError(f"{self.name} is declared to return None but returned {type(value).__name__}")
            return {}
        if self._join is None:
            return {self.outputs[0].name: value}
        if not isinstance(value, tuple | list) or len(value) != len(self.outputs):
            found = counted(len(value), "value") if isinstance(value, tuple | list) else _one(value)
            wanted = counted(len(self.outputs), "value")
            raise TypeError(f"{self.name} is declared to return {wanted} but returned {found}")
        return {output.name: item for output, item in zip(self.outputs, value, strict=True)}

    def join(self, values: Mapping[str, Any]) -> Any:
        """The inverse of `split`."""
        if not self.outputs:
            return None
        if self._join is None:
            return values[self.outputs[0].name]
        return self._join(*(values[o.name] for o in self.outputs))


def _one(value: object) -> str:
    return "one value" if isinstance(value, Node) else type(value).__name__
