"""A part of a value: its type at a promise's path (`o.a["b"][0]`), and the value itself."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from wingbeat.types.containers import STR, is_optional
from wingbeat.types.errors import ValueMismatch
from wingbeat.types.model import (
    DictType,
    Hashed,
    ListType,
    LiteralType,
    RecordType,
    Scope,
    Simple,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.records import known_names
from wingbeat.types.scope import closed, entered, resolved
from wingbeat.types.text import describe

__all__ = ["pick", "select"]


def select(type: LiteralType, path: tuple[str | int, ...]) -> LiteralType:
    """The type at a path inside a type, standing alone; raises `ValueMismatch` saying what there is instead."""
    scope: Scope = {}
    walked: list[str | int] = []
    for step in path:
        try:
            type, scope = _step(type, step, scope)
        except ValueMismatch as error:
            raise _at(error, walked) from None
        walked.append(step)
    return closed(type, scope)


def _step(type: LiteralType, step: str | int, scope: Scope) -> tuple[LiteralType, Scope]:
    type = resolved(type, scope)
    while isinstance(type, Hashed):
        type = resolved(type.item, scope)
    match type:
        case RecordType(name=name, fields=fields):
            for field in fields:
                if field.name == step:
                    return field.type, entered(type, scope)
            raise ValueMismatch(f"{name} has no field {step!r}; its fields are: {', '.join(known_names(type))}")
        case ListType(item=item):
            if isinstance(step, int):
                return item, scope
            raise ValueMismatch(f"a {describe(type)} is indexed by int, not by {step!r}")
        case TupleType(items=items):
            if isinstance(step, int) and -len(items) <= step < len(items):
                return items[step], scope
            raise ValueMismatch(f"{describe(type)} has no item {step!r}; it has {len(items)}")
        case DictType(key=key, value=value):
            if _may_be_key(step, key):
                return value, scope
            raise ValueMismatch(f"the keys of {describe(type)} are {describe(key)}, and {step!r} is none")
        case UnionType() if is_optional(type):
            raise ValueMismatch(f"a value of {describe(type)} may be None, which has no {step!r}")
        case _:
            raise ValueMismatch(f"a value of {describe(type)} has no parts, so there is no {step!r}")


def _may_be_key(step: str | int, key: LiteralType) -> bool:
    if isinstance(key, Simple) and key.name in ("int", "float"):
        return isinstance(step, int)
    return isinstance(step, str) or not isinstance(key, Simple)


def _at(error: ValueMismatch, walked: list[str | int]) -> ValueMismatch:
    for step in reversed(walked):
        error.within(f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]")
    return error


def pick(wire: Wire, type: LiteralType, path: tuple[str | int, ...]) -> Wire:
    """The wire value at a path inside a wire value; raises `ValueMismatch` saying what there is instead."""
    scope: Scope = {}
    walked: list[str | int] = []
    for step in path:
        try:
            inner, inside = _step(type, step, scope)
            wire = _pick(wire, resolved(type, scope), step)
        except ValueMismatch as error:
            raise _at(error, walked) from None
        type, scope = inner, inside
        walked.append(step)
    return wire


def _pick(wire: Any, type: LiteralType, step: str | int) -> Any:
    while isinstance(type, Hashed):
        wire, type = wire["v"], type.item
    if isinstance(type, RecordType):
        default = next(field.default for field in type.fields if field.name == step)
        value = wire.get(step, default)
        if value is UNSET:
            raise ValueMismatch(f"this {type.name} has no value for its field {step!r}")
        return value
    if isinstance(type, DictType):
        pairs = wire.items() if type.key == STR else wire
        for key, value in pairs:
            if key == step and isinstance(key, bool) == isinstance(step, bool):
                return value
        there = ", ".join(repr(key) for key, _ in list(pairs)[:10])
        raise ValueMismatch(f"there is no key {step!r}; the keys are: {there or 'none'}")
    assert isinstance(step, int)
    if not -len(wire) <= step < len(wire):
        raise ValueMismatch(f"there is no item {step}: the list has {len(wire)}")
    return wire[step]
