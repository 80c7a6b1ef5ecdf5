"""What is known of the values in a line that asked a promise, or a condition, for its truth: for the hint of the error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wingbeat.author.compose import Callee
from wingbeat.author.condition import Combined, Comparison, Condition
from wingbeat.author.promise import Promised
from wingbeat.author.suggest import Known
from wingbeat.spec.conditions import mode
from wingbeat.types import LiteralType, UnsupportedType, ValueMismatch

if TYPE_CHECKING:
    from wingbeat.author.compose import Composer
    from wingbeat.author.source import Location


class Asked(Known):
    """Of a workflow's body.

    Args:
        asked: A promise, a condition, or a call that gives nothing.

        where: The line.
    """

    def __init__(self, asked: Any, where: Location) -> None:
        self._where = where
        promise = _first(asked)
        self._composer: Composer | None = promise._composer if promise is not None else None  # one room
        self.asked = self._composer.type_of(asked, where) if self._composer and isinstance(asked, Promised) else None

    def type_of(self, value: object) -> LiteralType | None:
        """See `Known`."""
        if isinstance(value, Promised) and value._composer is self._composer:
            return value._composer.type_of(value, self._where)
        if isinstance(value, Callee):
            types = list(value.signature.output_types.values())
            return types[0] if len(types) == 1 and not value.signature.named else None
        return None

    def fits(self, op: str, one: object, other: object) -> bool:
        """See `Known`."""
        try:
            mode(op, self._of(one), self._of(other))
        except (ValueMismatch, UnsupportedType):
            return False
        return True

    def is_condition(self, value: object) -> bool:
        """See `Known`."""
        return isinstance(value, Condition)

    def _of(self, side: Any) -> LiteralType:
        if isinstance(side, LiteralType):
            return side
        assert self._composer is not None
        return self._composer.constant(side)[0]


def _first(asked: object) -> Promised | None:
    """A promise in it."""
    match asked:
        case Promised():
            return asked
        case Comparison(left=left, right=right):
            return left if isinstance(left, Promised) else _first(right)
        case Combined(parts=parts):
            return next((found for part in parts if (found := _first(part)) is not None), None)
        case _:
            return None
