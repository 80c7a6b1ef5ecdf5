"""Deferred values, made whole: what a task's process (or an inline executor) does with its literals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wingbeat.spec.literal import Inline, Literal, LiteralList, LiteralMap, Offloaded, Picked
from wingbeat.types import LiteralType, Wire, check_depth, convert

_types: msgspec.json.Decoder[LiteralType] = msgspec.json.Decoder(LiteralType)


def materialise(literal: Literal, read: Callable[[Offloaded], bytes]) -> Wire:
    """The wire form of a value; `read` gives the canonical JSON of an offloaded one.

    Raises:
        LookupError: A picked part is not there.

        wingbeat.types.LimitExceeded: Stored JSON is too deep.
    """
    match literal:
        case Inline(value):
            return value  # type: ignore[no-any-return]
        case Offloaded():
            data = read(literal)
            check_depth(data)
            return msgspec.json.decode(data)  # type: ignore[no-any-return]
        case LiteralList(items):
            return [materialise(item, read) for item in items]
        case LiteralMap(entries):
            return {name: materialise(item, read) for name, item in entries.items()}
        case Picked(of, path, source, target):
            part = _walk(materialise(of, read), path)
            return convert(part, _types.decode(source), _types.decode(target)) if source else part


def _walk(wire: Wire, path: tuple[str | int, ...]) -> Wire:
    part: Any = wire
    for n, step in enumerate(path):
        try:
            part = part[step]
        except (LookupError, TypeError):
            where = "".join(f"[{s!r}]" for s in path[: n + 1])
            raise LookupError(f"the value has nothing at {where}; it was taken from another task's output") from None
    return part  # type: ignore[no-any-return]
