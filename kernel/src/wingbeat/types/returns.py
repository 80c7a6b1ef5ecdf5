"""What a return annotation means: which outputs there are, and what puts several of them together again.

``-> X`` is one output ``o0``; ``-> tuple[X, Y]`` is ``o0`` and ``o1``; a NamedTuple gives its field names; ``-> None`` is none.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any


class Output(typing.NamedTuple):
    """One output and the hint that it is encoded and decoded by."""

    name: str
    hint: Any


def split_return(hint: Any) -> tuple[list[Output], Callable[..., Any] | None]:
    """The outputs that a return annotation means, and what puts several of them together again (None where it is one)."""
    plain = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    if plain is None or plain is type(None):
        return [], None
    if isinstance(plain, type) and issubclass(plain, tuple) and hasattr(plain, "_fields"):
        hints = typing.get_type_hints(plain, include_extras=True)
        return [Output(name, hints[name]) for name in plain._fields], plain
    items = typing.get_args(plain)
    if typing.get_origin(plain) is tuple and items and items[-1] is not ...:
        return [Output(f"o{i}", item) for i, item in enumerate(items)], lambda *values: values
    return [Output("o0", hint)], None
