"""Deferred values, made whole: what a task's process (or an inline executor) does with its literals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wingbeat.spec.literal import Inline, Literal, LiteralList, LiteralMap, Offloaded
from wingbeat.types import Wire, check_depth, convert, pick, select


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
