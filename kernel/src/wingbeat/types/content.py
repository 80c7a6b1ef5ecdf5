"""The hash of a value for caching, and whether a value has content stored apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from wingbeat.types.blobs import is_blob
from wingbeat.types.containers import STR, canonical, is_optional
from wingbeat.types.model import (
    DictType,
    Hashed,
    ListType,
    LiteralType,
    RecordType,
    RecursionRef,
    SetType,
    Simple,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.scope import parts

__all__ = ["digest", "has_blobs"]

_Reduce: TypeAlias = Callable[[Any], Any]
_reducers: dict[LiteralType, _Reduce | None] = {}


def digest(wire: Wire, type: LiteralType) -> str:
    """`sha256:…` of a wire value: equal values of a type have equal digests.

    Content counts by its digest alone, wherever it is stored and whatever it is called; a value with the author's own
    hash by that hash. The order of a dict is part of it.
    """
    from hashlib import sha256

    try:
        reduce = _reducers[type]
    except KeyError:
        reduce = _reducers[type] = _reducer(type, {}) if _differs(type) else None
    return f"sha256:{sha256(canonical(wire if reduce is None else reduce(wire))).hexdigest()}"


def has_blobs(type: LiteralType) -> bool:
    """Whether a value of this type may have content stored apart (files, tables, arrays, models)."""
    return is_blob(type) or any(map(has_blobs, parts(type)))


def _differs(type: LiteralType) -> bool:
    """Whether what counts may differ from the wire itself.

    A float may come as an int from elsewhere, a record without its defaults.
    """
    return (
        is_blob(type)
        or isinstance(type, Hashed | RecordType)
        or type == Simple("float")
        or any(map(_differs, parts(type)))
    )


def _same(wire: Any) -> Any:
    return wire


def _blob(wire: Any) -> Any:
    return wire.get("hash") or wire["digest"]


def _float(wire: Any) -> Any:
    return float(wire) if isinstance(wire, int) else wire


def _reducer(type: LiteralType, scope: dict[str, list[_Reduce]]) -> _Reduce:
    """What a wire value of this type is reduced to before it is hashed."""
    if isinstance(type, RecursionRef):
        cell = scope[type.name]
        return lambda wire: cell[0](wire)  # noqa: PLW0108  # the cell is filled later
    if not _differs(type) and not _has_reference(type):
        return _same
    if is_blob(type):
        return _blob
    match type:
        case Simple():
            return _float
        case ListType(item=item):
            each = _reducer(item, scope)
            return lambda wire: [each(item) for item in wire]
        case SetType(item=item):
            member = _reducer(item, scope)
            return lambda wire: sorted((member(item) for item in wire), key=canonical)
        case DictType(key=key, value=value):
            return _dict(key, value, scope)
        case TupleType(items=items):
            slots = [_reducer(item, scope) for item in items]
            return lambda wire: [slot(item) for slot, item in zip(slots, wire, strict=True)]
        case UnionType():
            return _union(type, scope)
        case RecordType():
            return _record(type, scope)
        case Hashed(item=item):
            inner = _reducer(item, scope)
            return lambda wire: {"h": wire["h"]} if wire["h"] is not None else inner(wire["v"])
        case _:
            return _same


def _has_reference(type: LiteralType) -> bool:
    return isinstance(type, RecursionRef) or any(map(_has_reference, parts(type)))


def _dict(key: LiteralType, value: LiteralType, scope: dict[str, list[_Reduce]]) -> _Reduce:
    left, right = _reducer(key, scope), _reducer(value, scope)
    if key == STR:
        return lambda wire: {name: right(item) for name, item in wire.items()}
    return lambda wire: [[left(name), right(item)] for name, item in wire]


def _union(type: UnionType, scope: dict[str, list[_Reduce]]) -> _Reduce:
    variants = [_reducer(variant, scope) for variant in type.variants]
    if is_optional(type):
        some = variants[0]
        return lambda wire: None if wire is None else some(wire)
    return lambda wire: {"k": wire["k"], "v": variants[wire["k"]](wire["v"])}


def _record(type: RecordType, scope: dict[str, list[_Reduce]]) -> _Reduce:
    cell: list[_Reduce] = []
    fields = [(field.name, _reducer(field.type, {**scope, type.name: cell})) for field in type.fields]
    defaults = {field.name: field.default for field in type.fields if not field.required and not field.optional}

    def reduce(wire: Any) -> Any:
        full = {**defaults, **wire}
        return {name: inner(full[name]) for name, inner in fields if name in full}

    cell.append(reduce)
    return reduce
