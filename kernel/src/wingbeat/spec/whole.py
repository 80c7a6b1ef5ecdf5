"""From wire values to literals and back: what is large is stored, and read again where the whole value is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wingbeat.spec.codec import canonical
from wingbeat.spec.literal import INLINE_BYTES_MAX, Inline, Literal, LiteralList, LiteralMap, Offloaded
from wingbeat.types import Blob, LiteralType, Wire, check_depth, convert, digest, pick, select

_SMALL = frozenset({int, float, bool, type(None)})


def literal_of(wire: Wire, type_: LiteralType, put: Callable[[bytes], Blob]) -> Literal:
    """A wire value as a literal: inline, or stored by `put` and by reference where it is large."""
    if type(wire) in _SMALL or (type(wire) is str and len(wire) * 6 < INLINE_BYTES_MAX):
        return Inline(wire)
    data = canonical(wire)
    if len(data) <= INLINE_BYTES_MAX:
        return Inline(wire)
    blob = put(data)
    return Offloaded(uri=blob.uri, size=blob.size, digest=digest(wire, type_))


def materialise(literal: Literal, read: Callable[[Offloaded], bytes]) -> Wire:
    """The wire form of a value; `read` gives the canonical JSON of an offloaded one.

    Raises:
        wingbeat.types.ValueMismatch: A picked part is not there.

        wingbeat.types.LimitExceeded: Stored JSON is too deep.
    """
    match literal:
        case Inline():
            return literal.value  # type: ignore[no-any-return]
        case Offloaded():
            data = read(literal)
            check_depth(data)
            return msgspec.json.decode(data)  # type: ignore[no-any-return]
        case LiteralList():
            return [materialise(item, read) for item in literal.items]
        case LiteralMap():
            return {name: materialise(item, read) for name, item in literal.items.items()}
        case _:
            whole: Any = materialise(literal.of, read)
            part = pick(whole, literal.whole, literal.path) if literal.path else whole
            if literal.target is None:
                return part
            return convert(part, select(literal.whole, literal.path) if literal.path else literal.whole, literal.target)
