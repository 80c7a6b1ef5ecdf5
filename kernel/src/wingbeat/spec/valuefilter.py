"""Conditions on the inputs and outputs of executions: ``inputs.city=sf``, ``outputs.o0>=0.5``."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Literal

from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat.types.errors import ValueMismatch
from wingbeat.types.times import parse_moment, parse_timedelta

TEXT_LENGTH_MAX = 255
"""Longer texts are not looked for."""
_FORM = re.compile(r"(inputs|outputs)\.([A-Za-z_]\w*)\s*(>=|<=|!=|=|<|>)\s*(.*)\Z", re.DOTALL)

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:.*)?\Z", re.ASCII)
_SPAN = re.compile(r"-?P[\dT]")

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class ValueFilter(Struct, frozen=True):
    """A condition on one input or output.

    Attributes:
        value: What it is compared with. What has a number is compared with what has one, by that; a text with texts. True and
            false fit truth values, which are kept so as texts.
    """

    side: Literal["inputs", "outputs"]
    name: str
    operator: Operator
    value: str

    @property
    def number(self) -> float | None:
        """See `number_of`."""
        return number_of(self.value)


def number_of(text: str) -> float | None:
    """What a value goes by among others: itself, if it is a number; of a moment or a day in ISO 8601 the epoch seconds, in UTC
    where it names no offset; of a duration (``PT9H``) its seconds. None for any other text."""
    try:
        if _MOMENT.match(text):
            moment = parse_moment(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if _SPAN.match(text):
            return parse_timedelta(text).total_seconds()
        found = float(text)
    except (ValueError, OverflowError, ValueMismatch):
        return None
    return found if found - found == 0 else None  # neither infinite nor none


def parse_value_filter(text: str) -> ValueFilter:
    """A condition. Raises InputError."""
    found = _FORM.match(text.strip())
    if found is None or len(found[4]) > TEXT_LENGTH_MAX:
        raise InputError(
            f"{text[:80]!r} is no condition on a value.",
            hint="Such as inputs.city=sf or outputs.o0>=0.5; the comparisons are = != < <= > >=.",
        )
    side, name, operator, value = found.groups()
    made = ValueFilter(side, name, operator, value)  # type: ignore[arg-type]  # as the expression has them
    if operator not in ("=", "!=") and made.number is None and not value:
        raise InputError(f"{text[:80]!r} compares with nothing.")
    return made
