"""Runtime values on their way between tasks: inline, by reference, or composed of others.

A value travels as its wire form (see `wingbeat.types`). Values over `INLINE_BYTES_MAX` are stored and travel by reference;
the engine never loads them. Lists and maps bound from several promises stay trees until the task's process reads them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from wingbeat.types import LiteralType

INLINE_BYTES_MAX = 64 * 1024
"""Values whose canonical JSON is larger go to storage by reference."""


class Inline(Struct, frozen=True, gc=False, array_like=True, tag="v"):
    """A small value, in its wire form."""

    value: Any


class Offloaded(Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """A large value: canonical JSON in storage.

    Attributes:
        uri: Where its canonical JSON is.

        size: Bytes there.

        digest: Content hash for caching, as `wingbeat.types.digest` gives it.
    """

    uri: str
    size: int
    digest: str


class LiteralList(Struct, frozen=True, gc=False, array_like=True, tag="l"):
    """A list bound from several values of which at least one is not inline."""

    items: tuple[Literal, ...]


class LiteralMap(Struct, frozen=True, gc=False, array_like=True, tag="m"):
    """A map bound from several values of which at least one is not inline."""

    items: dict[str, Literal]


class Picked(Struct, frozen=True, gc=False, array_like=True, tag="p"):
    """A part of a value that is not inline: what stands at `path` inside `of`, converted to `target` where that is set.

    Attributes:
        whole: Literal type of the value `of`.

        target: Literal type of the result where it differs from that of the part.
    """

    of: Literal
    path: tuple[str | int, ...]
    whole: LiteralType
    target: LiteralType | None = None


Literal = Inline | Offloaded | LiteralList | LiteralMap | Picked
"""One value. Deferred forms (`LiteralList`, `LiteralMap`, `Picked`) occur in inputs only; outputs are inline or offloaded."""

Literals = dict[str, Literal]
"""Values by variable name: the inputs or outputs of a task or workflow."""
