"""Types of values that nobody declared: constants in conditions and arms, and what a gate lets through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from wingbeat.spec.mapped import optional
from wingbeat.types import (
    BlobIO,
    LiteralType,
    Simple,
    TupleType,
    ValueMismatch,
    codec,
    compatible,
    decode_generic,
    describe,
    encode_generic,
)

_NONE = Simple("none")


class TypeOnly:
    """A codec of which only the literal type is known: the type of a promise."""

    def __init__(self, type_: LiteralType) -> None:
        self.type = type_

    def encode(self, value: object, io: BlobIO) -> Any:
        """Plain data to wire."""
        return encode_generic(value, self.type, io)

    def decode(self, wire: Any, io: BlobIO) -> Any:
        """Wire to plain data."""
        return decode_generic(wire, self.type, io)


def hint_of(value: object) -> Any:
    """The type hint of a value.

    Raises:
        ValueMismatch: The value does not tell, because it is empty.
    """
    if value is None:
        return None
    if type(value) is tuple:
        return tuple[tuple(map(hint_of, value))]  # type: ignore[misc]  # made of values
    if type(value) is list or type(value) is set:
        return type(value)[_any_of(list(value))]  # type: ignore[index]  # as above
    if type(value) is dict:
        return dict[_any_of(list(value)), _any_of(list(value.values()))]  # type: ignore[misc]  # as above
    return type(value)


def _any_of(values: Sequence[object]) -> Any:
    hints = list(dict.fromkeys(map(hint_of, values)))
    if not hints:
        raise ValueMismatch("an empty collection does not tell the type of what it would hold")
    if None in hints and len(hints) > 1:
        hints = [h for h in hints if h is not None] + [type(None)]
    return Union[tuple(hints)]  # noqa: UP007  # made of values


def constant(value: object, io: BlobIO) -> tuple[LiteralType, Any]:
    """The type and the wire form of a constant.

    Raises:
        ValueMismatch: The value cannot be encoded, or does not tell its type.

        UnsupportedType: It is of a class that is no value.
    """
    if type(value) is list and not value:
        return TupleType(()), []  # goes where any list does
    made = codec(hint_of(value))
    return made.type, made.encode(value, io)


def joined(types: Sequence[LiteralType]) -> LiteralType:
    """The one of `types` that takes values of all of them, with None where one of them is None.

    Raises:
        ValueMismatch: There is none.
    """
    present = [t for t in types if t != _NONE]
    if not present:
        return types[0] if types else TupleType(())
    candidates = dict.fromkeys([*present, *(optional(t) for t in present)] if len(present) < len(types) else present)
    for candidate in candidates:
        if all(compatible(t, candidate) is None for t in types):
            return candidate
    raise ValueMismatch(" and ".join(map(describe, dict.fromkeys(types))))
