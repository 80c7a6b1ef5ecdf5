"""What may stand inside `Annotated`: a doc string is a plain `str`; these say the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Columns", "Format", "HashWith", "Pickle"]


class _Marker:
    """Equal by content, so that equal hints share one codec."""

    __slots__ = ("_key",)

    def __init__(self, key: object) -> None:
        self._key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Marker) and type(other) is type(self) and other._key == self._key

    def __hash__(self) -> int:
        return hash((type(self), self._key))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key!r})"


class Format(_Marker):
    """The format of a `File` or `Directory`: `Annotated[File, Format("csv")]`."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The word."""
        return str(self._key)


class HashWith(_Marker):
    """The author's own hash of a value, for caching: `Annotated[T, HashWith(fn)]`; `fn(value)` gives a `str`."""

    __slots__ = ()

    @property
    def function(self) -> Callable[[Any], str]:
        """The author's function."""
        return self._key  # type: ignore[return-value]


class Columns(_Marker):
    """The columns a table must have: `Annotated[pandas.DataFrame, Columns(id=int, name=str)]`.

    Names that are no Python identifiers go into a dict: `Columns({"trip id": int})`.
    """

    __slots__ = ()

    def __init__(self, columns: dict[str, object] | None = None, /, **more: object) -> None:
        super().__init__(tuple({**(columns or {}), **more}.items()))

    @property
    def items(self) -> tuple[tuple[str, object], ...]:
        """Name and type hint of each column, in order."""
        return self._key  # type: ignore[return-value]


class Pickle:
    """Store this value with pickle, the author asking for it by name: `Annotated[T, Pickle]`.

    Reading a pickle runs whatever code is in it: only for values from tasks you trust.
    """
