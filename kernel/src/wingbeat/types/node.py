"""A compiled type hint: the two directions as plain functions, and how well a value fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from wingbeat.types.errors import ValueMismatch
from wingbeat.types.model import BlobIO, LiteralType, Wire

__all__ = ["COERCED", "EXACT", "MISFIT", "SUBCLASS", "Decode", "Encode", "Fit", "Node", "checked", "fit_class"]

Encode: TypeAlias = Callable[[Any, BlobIO], Wire]
Decode: TypeAlias = Callable[[Any, BlobIO], Any]
Fit: TypeAlias = Callable[[Any], int]

MISFIT, COERCED, SUBCLASS, EXACT = 0, 1, 2, 3
"""How well a value fits a type; a union takes the variant that fits best."""


class Node:
    """What a hint compiles to; it is also the public `Codec`."""

    __slots__ = ("decode", "encode", "fit", "hashable", "plain", "python", "refine", "type")

    def __init__(
        self,
        type: LiteralType,
        encode: Encode,
        decode: Decode,
        fit: Fit,
        *,
        python: Any = None,
        plain: Any = None,
        hashable: bool = True,
        refine: Callable[[Sequence[Any]], Node] | None = None,
    ) -> None:
        self.type = type
        self.encode = encode
        self.decode = decode
        self.fit = fit
        self.python = python
        """The class of its values, if the exact class tells that a value is of this type."""
        self.plain = plain
        """The class of wire values that are the Python value as they are; the many small values need no call."""
        self.hashable = hashable
        self.refine = refine
        """Takes the markers of an `Annotated`, if the type can be narrowed by them."""


def fit_class(cls: type) -> Fit:
    """A fit that looks at the class alone."""

    def fit(value: Any) -> int:
        if type(value) is cls:
            return EXACT
        return SUBCLASS if isinstance(value, cls) else MISFIT

    return fit


def checked(wire: Any, cls: type, what: str) -> None:
    """Refuse a wire value that is not of the JSON type that its type is written as."""
    if type(wire) is not cls:
        raise ValueMismatch.expected(what, wire)
