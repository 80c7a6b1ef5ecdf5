"""Scalars, and enums and literals, which are as simple: one encode, decode and fit for each."""

from __future__ import annotations

import enum
import math
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import date, datetime, timedelta
from typing import Any, cast

from wingbeat.types import times
from wingbeat.types.errors import LimitExceeded, UnsupportedType, ValueMismatch
from wingbeat.types.model import BlobIO, EnumType, LiteralValues, Simple, SimpleName, Wire
from wingbeat.types.node import COERCED, EXACT, MISFIT, SUBCLASS, Node, checked, fit_class

__all__ = ["INT_MAX", "INT_MIN", "NONE", "SCALARS", "enum_node", "float_of", "literal_node"]

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
_DIGITS_MAX = 4300  # what Python itself converts without complaint
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _numpy_scalar(value: Any, *types: type) -> Any:
    """The Python scalar in a numpy scalar.

    If it is one of `types`; a task that returns `frame.x.sum()` means an int.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        item = value.item()
        if type(item) in types:
            return item
    return None


def _encode_none(value: Any, io: BlobIO) -> Wire:
    if value is None:
        return None
    raise ValueMismatch.expected("None", value)


def _encode_bool(value: Any, io: BlobIO) -> Wire:
    if value is True or value is False:
        return bool(value)
    if (item := _numpy_scalar(value, bool)) is not None:
        return bool(item)
    raise ValueMismatch.expected("bool", value)


def _decode_bool(wire: Any, io: BlobIO) -> bool:
    if wire is True or wire is False:
        return wire is True
    raise ValueMismatch.expected("bool", wire)


def _encode_int(value: Any, io: BlobIO) -> Wire:
    if type(value) is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        try:
            return str(value)
        except ValueError:
            raise LimitExceeded(f"an int of more than {_DIGITS_MAX} digits") from None
    if isinstance(value, int) and type(value) is not bool:
        return _encode_int(int(value), io)
    if (item := _numpy_scalar(value, int)) is not None:
        return _encode_int(item, io)
    raise ValueMismatch.expected("int", value)


def _decode_int(wire: Any, io: BlobIO) -> int:
    if type(wire) is int:
        if INT_MIN <= wire <= INT_MAX:
            return wire
        raise ValueMismatch(
            f"an int of more than 64 bit travels as its digits, a str; got {wire.bit_length() + 1} bit with its sign"
        )
    if type(wire) is str:
        return _big_int(wire)
    raise ValueMismatch.expected("int", wire)


def _big_int(text: str) -> int:
    if len(text) > _DIGITS_MAX + 1:
        raise LimitExceeded(f"an int of more than {_DIGITS_MAX} digits")
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        number = int(text)
        if not INT_MIN <= number <= INT_MAX:
            return number
    raise ValueMismatch.expected("int", text)


def _fit_int(value: Any) -> int:
    if type(value) is int:
        return EXACT
    if type(value) is bool:
        return MISFIT
    return SUBCLASS if isinstance(value, int) or _numpy_scalar(value, int) is not None else MISFIT


def _encode_float(value: Any, io: BlobIO) -> Wire:
    number = value if type(value) is float else float_of(value)
    if number - number == 0.0:  # finite
        return number
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"


def float_of(value: Any) -> float:
    """A float from what may flow into one: floats, and ints that a float can hold exactly."""
    if isinstance(value, float):
        return float(value)
    if (item := _numpy_scalar(value, int, float)) is not None:
        value = item
    if isinstance(value, int | float) and type(value) is not bool:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if number == value or math.isnan(number):
            return number
        raise ValueMismatch(f"expected float, got int {value}, which no float can hold exactly")
    raise ValueMismatch.expected("float", value)


def _decode_float(wire: Any, io: BlobIO) -> float:
    if type(wire) is float:
        return wire
    if type(wire) is int:
        return float_of(wire)
    if type(wire) is str and wire in _NOT_FINITE:
        return _NOT_FINITE[wire]
    raise ValueMismatch.expected("float", wire)


def _fit_float(value: Any) -> int:
    if type(value) is float:
        return EXACT
    if isinstance(value, float) or _numpy_scalar(value, float) is not None:
        return SUBCLASS
    return COERCED if _fit_int(value) else MISFIT


def _encode_str(value: Any, io: BlobIO) -> Wire:
    if type(value) is not str:
        if not isinstance(value, str):
            raise ValueMismatch.expected("str", value)
        value = str.__str__(value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueMismatch(
                f"expected str, got one with half a surrogate pair, which is no text: {value!r}"
            ) from None
    return value  # type: ignore[no-any-return]


def _decode_str(wire: Any, io: BlobIO) -> str:
    if type(wire) is str:
        return wire
    raise ValueMismatch.expected("str", wire)


def _encode_bytes(value: Any, io: BlobIO) -> Wire:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode()
    raise ValueMismatch.expected("bytes", value)


def _decode_bytes(wire: Any, io: BlobIO) -> bytes:
    checked(wire, str, "bytes (as base64)")
    try:
        return a2b_base64(wire, strict_mode=True) if wire else b""
    except (Base64Error, ValueError):
        raise ValueMismatch.expected("bytes (as base64)", wire) from None


def _encode_datetime(value: Any, io: BlobIO) -> Wire:
    if isinstance(value, datetime):
        return times.format_datetime(value)
    raise ValueMismatch.expected("datetime", value)


def _encode_date(value: Any, io: BlobIO) -> Wire:
    if isinstance(value, date) and not isinstance(value, datetime):
        return date.isoformat(value)
    raise ValueMismatch.expected("date", value)


def _encode_timedelta(value: Any, io: BlobIO) -> Wire:
    if isinstance(value, timedelta):
        return times.format_timedelta(value)
    raise ValueMismatch.expected("timedelta", value)


def _fit_date(value: Any) -> int:
    return MISFIT if isinstance(value, datetime) else fit_class(date)(value)


NONE = Node(Simple("none"), _encode_none, _encode_none, lambda v: EXACT if v is None else MISFIT, python=type(None))


def _scalar(cls: type, encode: Any, decode: Any, fit: Any = None) -> Node:
    plain = cls if cls in (bool, int, float, str) else None
    name = cast(SimpleName, cls.__name__)
    return Node(Simple(name), encode, decode, fit or fit_class(cls), python=cls, plain=plain)


SCALARS: dict[Any, Node] = {
    None: NONE,
    type(None): NONE,
    bool: _scalar(bool, _encode_bool, _decode_bool),
    int: _scalar(int, _encode_int, _decode_int, _fit_int),
    float: _scalar(float, _encode_float, _decode_float, _fit_float),
    str: _scalar(str, _encode_str, _decode_str),
    bytes: _scalar(bytes, _encode_bytes, _decode_bytes),
    datetime: _scalar(datetime, _encode_datetime, lambda wire, io: times.parse_datetime(wire)),
    date: _scalar(date, _encode_date, lambda wire, io: times.parse_date(wire), _fit_date),
    timedelta: _scalar(timedelta, _encode_timedelta, lambda wire, io: times.parse_timedelta(wire)),
}


def enum_node(cls: type[enum.Enum], only: tuple[enum.Enum, ...] = ()) -> Node:
    """An enumeration, by member name; a flag by the names of its bits. `only` narrows it (`Literal[Mode.FAST]`)."""
    flag = issubclass(cls, enum.Flag)
    members = {member.name: member for member in only or cls}
    literal = EnumType(cls.__name__, tuple(members), flag)
    expected = f"{cls.__name__} ({' | '.join(members)})"

    def encode(value: Any, io: BlobIO) -> Wire:
        if type(value) is cls:
            name = _flag_name(value) if flag else value.name
            if name is not None and (flag or name in members):
                return name
        raise ValueMismatch.expected(expected, value)

    def _flag_name(value: Any) -> str | None:
        rest = value.value
        found = [name for name, member in members.items() if member.value & value.value == member.value]
        for name in found:
            rest &= ~members[name].value
        return "|".join(found) if not rest else None

    def decode(wire: Any, io: BlobIO) -> Any:
        if type(wire) is str:
            if wire in members:
                return members[wire]
            if flag and all(part in members for part in wire.split("|") if wire):
                return cls(sum(members[part].value for part in set(wire.split("|")) if wire))
        raise ValueMismatch.expected(expected, wire)

    def fit(value: Any) -> int:
        return EXACT if type(value) is cls and (flag or value.name in members) else MISFIT

    return Node(literal, encode, decode, fit, python=None if only else cls)


def literal_node(values: tuple[Any, ...]) -> Node:
    """`Literal[…]` of plain values, or of members of one enumeration."""
    if isinstance(values[0], enum.Enum) and all(type(v) is type(values[0]) for v in values):
        return enum_node(type(values[0]), values)
    for value in values:
        if type(value) not in (type(None), bool, int, str) or (type(value) is int and not INT_MIN <= value <= INT_MAX):
            raise UnsupportedType(
                f"Literal[{value!r}] is not supported: use None, bool, int (64 bit), str or one Enum's members"
            )
    allowed = {(type(value), value) for value in values}
    literal = LiteralValues(values)
    expected = f"Literal[{', '.join(map(repr, values))}]"

    def encode(value: Any, io: BlobIO) -> Wire:
        try:
            if (type(value), value) in allowed:
                return value  # type: ignore[no-any-return]
        except TypeError:  # not hashable
            pass
        raise ValueMismatch.expected(expected, value)

    def fit(value: Any) -> int:
        try:
            return EXACT if (type(value), value) in allowed else MISFIT
        except TypeError:
            return MISFIT

    return Node(literal, encode, encode, fit)
