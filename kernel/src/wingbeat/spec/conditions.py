"""Does a condition hold? Decided over wire values, without knowing a Python class: the same in every process and language.

It gives what Python gives for the values themselves, with one exception: datetimes with an offset are compared as moments,
also where Python would compare the clocks of one time zone (in the hour that a change of clocks repeats).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from wingbeat.spec.entities import AllOf, AnyOf, Compare, Condition, Input, Not, Operand
from wingbeat.types import EnumType, Hashed, LiteralType, LiteralValues, Simple, UnionType, ValueMismatch, describe
from wingbeat.types.times import parse_moment, parse_timedelta

_NOT_FINITE = ("nan", "inf", "-inf")
SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
"""Operators as they are written."""
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip


def evaluate(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Whether `condition` holds for the wire values of the branch's inputs.

    Raises:
        ValueMismatch: A datetime with an offset is to be before or after one without, which nobody can tell; or a value is
            not of its type.
    """
    match condition:
        case Compare():
            left, right = _value(condition.left, values), _value(condition.right, values)
            try:
                return bool(_OPERATORS[condition.op](read_wire(left, condition.by), read_wire(right, condition.by)))
            except (TypeError, ValueError) as error:
                said = f"'{left} {SIGNS[condition.op]} {right}' cannot be told"
                if condition.by == "datetime" and isinstance(error, TypeError):
                    raise ValueMismatch(
                        f"{said}: one has an offset to UTC, or a time zone, and the other has none, so nobody knows which is "
                        "earlier. Give both of them one, as 'datetime.now(UTC)' has it"
                    ) from None
                raise ValueMismatch(f"{said}: {error}") from None
        case AllOf():
            return all(evaluate(part, values) for part in condition.conditions)
        case AnyOf():
            return any(evaluate(part, values) for part in condition.conditions)
        case Not():
            return not evaluate(condition.condition, values)
        case _:
            return values[condition.name] is True


def _value(operand: Operand, values: Mapping[str, Any]) -> Any:
    return values[operand.name] if isinstance(operand, Input) else operand.value


def read_wire(wire: Any, by: str) -> Any:
    """A wire value as what it is compared as; `by` as of `Compare`."""
    if type(wire) is not str or by == "plain":
        return wire
    if by == "number":
        return float(wire) if wire in _NOT_FINITE else int(wire)
    return parse_moment(wire) if by == "datetime" else parse_timedelta(wire)


class Reading(NamedTuple):
    """How values of a type are compared.

    Attributes:
        family: What can be compared with each other has the same one.

        by: As `Compare.by`.

        ordered: Whether one may be less than another.
    """

    family: str
    by: str
    ordered: bool


def reading(type_: LiteralType) -> Reading | None:
    """How values of a type are compared; None if they cannot be."""
    match type_:
        case Hashed(item=item):
            return reading(item)
        case UnionType(variants=(one, Simple(name="none"))):
            inside = reading(one)
            return inside._replace(ordered=False) if inside is not None else None
        case Simple(name="int" | "float"):
            return Reading("number", "number", True)
        case Simple(name="bool"):
            return Reading("number", "number", False)
        case Simple(name="str" | "date" as name):
            return Reading(name, "plain", True)
        case Simple(name="datetime" | "timedelta" as name):
            return Reading(name, name, True)
        case Simple(name=name):
            return Reading(name, "plain", False)
        case EnumType(name=name):
            return Reading(f"enum {name}", "plain", False)
        case LiteralValues(values=values):
            return _of_literals(values)
        case _:
            return None


def _of_literals(values: tuple[Any, ...]) -> Reading | None:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        return Reading("str", "plain", False)
    return Reading("number", "number", False) if kinds <= {int, bool} else None


def mode(op: str, left: LiteralType, right: LiteralType) -> str:
    """`Compare.by` for two types.

    Raises:
        ValueMismatch: They cannot be compared like that.
    """
    one, other, sign = reading(left), reading(right), SIGNS[op]
    for type_, found in ((left, one), (right, other)):
        if found is None:
            raise ValueMismatch(f"values of {describe(type_)} cannot be compared by {sign!r}")
    assert one is not None
    assert other is not None
    equality = op in ("eq", "ne")
    if equality and "none" in (one.family, other.family):
        return "plain"
    if one.family != other.family:
        raise ValueMismatch(f"{describe(left)} and {describe(right)} cannot be compared by {sign!r}")
    for type_, found in ((left, one), (right, other)):
        if not equality and not found.ordered:
            why = ", as it may be None" if isinstance(type_, UnionType) else ""
            raise ValueMismatch(
                f"{describe(type_)} has no order{why}, so it can be compared by '==' and '!=', not by {sign!r}"
            )
    return one.by
