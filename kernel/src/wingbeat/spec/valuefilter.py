"""Conditions on the inputs and outputs of executions: ``inputs.city=sf``, ``outputs.o0>=0.5``."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from wingbeat.base.errors import InputError

TEXT_LENGTH_MAX = 255
"""Longer texts are not looked for."""
_FORM = re.compile(r"(inputs|outputs)\.([A-Za-z_]\w*)\s*(>=|<=|!=|=|<|>)\s*(.*)\Z", re.DOTALL)

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class ValueFilter(Struct, frozen=True):
    """A condition on one input or output.

    Attributes:
        value: What it is compared with. A number also fits numbers; true and false fit truth values, which are kept so as texts.
    """

    side: Literal["inputs", "outputs"]
    name: str
    operator: Operator
    value: str

    @property
    def number(self) -> float | None:
        """The value as a number, if it is one."""
        try:
            found = float(self.value)
        except ValueError:
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
