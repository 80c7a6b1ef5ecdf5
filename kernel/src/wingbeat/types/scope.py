"""Literal types on their own: what a recursion reference means, and how to make a part of a type stand alone."""

from __future__ import annotations

import msgspec

from wingbeat.types.errors import ValueMismatch
from wingbeat.types.model import (
    DictType,
    Hashed,
    ListType,
    LiteralType,
    RecordType,
    RecursionRef,
    Scope,
    SetType,
    TupleType,
    UnionType,
)

__all__ = ["closed", "entered", "parts", "resolved"]


def parts(type: LiteralType) -> tuple[LiteralType, ...]:
    """The types directly inside a type."""
    match type:
        case ListType(item=item) | SetType(item=item) | Hashed(item=item):
            return (item,)
        case DictType(key=key, value=value):
            return (key, value)
        case TupleType(items=items):
            return items
        case UnionType(variants=variants):
            return variants
        case RecordType(fields=fields):
            return tuple(field.type for field in fields)
        case _:
            return ()


def resolved(type: LiteralType, scope: Scope) -> LiteralType:
    """The record that a reference means; any other type is itself."""
    if not isinstance(type, RecursionRef):
        return type
    try:
        return scope[type.name]
    except KeyError:
        raise ValueMismatch(f"the type refers to a record {type.name!r} that does not enclose it") from None


def entered(type: LiteralType, scope: Scope) -> Scope:
    """The scope inside a type."""
    return {**scope, type.name: type} if isinstance(type, RecordType) else scope


def closed(type: LiteralType, scope: Scope) -> LiteralType:
    """The same type, with the references that lead out of it replaced by the records they mean."""
    if isinstance(type, RecursionRef):
        if type.name not in scope:
            return type  # the record it means is a part of the type
        target = resolved(type, scope)
        outer = {name: record for name, record in scope.items() if name != type.name}
        return closed(target, outer)
    inner = {name: record for name, record in scope.items() if not (isinstance(type, RecordType) and name == type.name)}
    if not inner:
        return type
    match type:
        case ListType(item=item):
            return ListType(closed(item, inner))
        case SetType(item=item):
            return SetType(closed(item, inner))
        case Hashed(item=item):
            return Hashed(closed(item, inner))
        case DictType(key=key, value=value):
            return DictType(closed(key, inner), closed(value, inner))
        case TupleType(items=items):
            return TupleType(tuple(closed(item, inner) for item in items))
        case UnionType(variants=variants):
            return UnionType(tuple(closed(variant, inner) for variant in variants))
        case RecordType(fields=fields):
            return msgspec.structs.replace(
                type, fields=tuple(msgspec.structs.replace(field, type=closed(field.type, inner)) for field in fields)
            )
        case _:
            return type
