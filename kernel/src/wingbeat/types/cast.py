"""May a value of one type flow into another, and what must change on its wire when it does."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import UNSET

from wingbeat.types.containers import STR, canonical, is_optional
from wingbeat.types.errors import ValueMismatch
from wingbeat.types.model import (
    BlobType,
    Column,
    DictType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    ListType,
    LiteralType,
    LiteralValues,
    RecordType,
    RecursionRef,
    Scope,
    SetType,
    Simple,
    TableType,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.scalars import float_of
from wingbeat.types.scope import entered, resolved
from wingbeat.types.text import describe

__all__ = ["compatible", "convert", "needs_conversion"]


class _Scopes(NamedTuple):
    """What the references mean on both sides.

    `assumed` are the pairs of records that are being compared: they agree unless shown otherwise.
    """

    src: Scope
    dst: Scope
    assumed: frozenset[tuple[LiteralType, LiteralType]]

    def inside(self, src: LiteralType, dst: LiteralType) -> _Scopes:
        """The scopes inside a pair of types."""
        pair = self.assumed | {(src, dst)} if isinstance(src, RecordType) else self.assumed
        return _Scopes(entered(src, self.src), entered(dst, self.dst), pair)


_NO_SCOPES = _Scopes({}, {}, frozenset())
_verdicts: dict[tuple[LiteralType, LiteralType], str | None] = {}


def compatible(src: LiteralType, dst: LiteralType) -> str | None:
    """None if a value of `src` may flow into `dst`; else the reason why not."""
    if src == dst:
        return None
    try:
        return _verdicts[src, dst]
    except KeyError:
        reason = _verdicts[src, dst] = _reason(src, dst, _NO_SCOPES)
        return reason


def _reason(src: LiteralType, dst: LiteralType, scopes: _Scopes) -> str | None:
    src, dst = resolved(src, scopes.src), resolved(dst, scopes.dst)
    if (src, dst) in scopes.assumed:
        return None
    match src, dst:
        case Hashed(item=item), _:
            return _reason(item, dst.item if isinstance(dst, Hashed) else dst, scopes)
        case _, Hashed(item=item):
            return _reason(src, item, scopes)
        case UnionType(variants=variants), _:
            if src == dst and not scopes.src and not scopes.dst:
                return None
            for variant in variants:
                if _reason(variant, dst, scopes) is not None:
                    return f"{describe(src)} may be {describe(variant)}, which is not {describe(dst)}"
            return None
        case _, UnionType():
            found = _variant(src, dst, scopes)
            return found if isinstance(found, str) else None
        case Simple(name=one), Simple(name=other):
            return None if one == other or (one, other) == ("int", "float") else _not(src, dst)
        case LiteralValues(), _:
            return _literal_reason(src, dst)
        case ListType(item=a), ListType(item=b):
            return _inside("item", _reason(a, b, scopes))
        case SetType(item=a), SetType(item=b):
            return _inside("item", _reason(a, b, scopes))
        case DictType(key=k, value=v), DictType(key=key, value=value):
            return _inside("key", _reason(k, key, scopes)) or _inside("value", _reason(v, value, scopes))
        case TupleType(items=items), TupleType(items=others):
            if len(items) != len(others):
                return _not(src, dst)
            return next(
                (
                    r
                    for i, (a, b) in enumerate(zip(items, others, strict=True))
                    if (r := _inside(f"item {i}", _reason(a, b, scopes)))
                ),
                None,
            )
        case TupleType(items=()), ListType():
            return None
        case RecordType(), RecordType():
            return _record_reason(src, dst, scopes)
        case EnumType(), EnumType():
            return _enum_reason(src, dst)
        case _:
            return _content_reason(src, dst)


def _not(src: LiteralType, dst: LiteralType) -> str:
    return f"{describe(src)} is not {describe(dst)}"


def _inside(where: str, reason: str | None) -> str | None:
    return f"{where}: {reason}" if reason else None


def _literal_reason(src: LiteralValues, dst: LiteralType) -> str | None:
    for value in src.values:
        name = "none" if value is None else type(value).__name__
        if isinstance(dst, LiteralValues):
            fits = any(type(value) is type(other) and value == other for other in dst.values)
        else:
            fits = isinstance(dst, Simple) and (dst.name == name or (name, dst.name) == ("int", "float"))
        if not fits:
            return f"{value!r} is not {describe(dst)}"
    return None


def _record_reason(src: RecordType, dst: RecordType, scopes: _Scopes) -> str | None:
    inside = scopes.inside(src, dst)
    given = {field.name: field for field in src.fields}
    for field in dst.fields:
        own = given.pop(field.name, None)
        if own is None:
            if field.required:
                return f"{describe(src)} has no field {field.name!r}, which {describe(dst)} needs"
            continue
        reason = _reason(own.type, field.type, inside)
        if reason:
            return f"field {field.name!r} of {describe(src)}: {reason}"
    if given:
        return f"{describe(dst)} has no field {next(iter(given))!r}, which {describe(src)} has"
    return None


def _enum_reason(src: EnumType, dst: EnumType) -> str | None:
    missing = [name for name in src.members if name not in dst.members]
    if missing:
        return f"{describe(dst)} has no member {missing[0]}, which {describe(src)} has"
    return None if src.flag == dst.flag else _not(src, dst)


def _content_reason(src: LiteralType, dst: LiteralType) -> str | None:
    match src, dst:
        case (FileType(format=a), FileType(format=b)) | (DirectoryType(format=a), DirectoryType(format=b)):
            return None if a == b or not a or not b else _not(src, dst)
        case TableType(columns=there), TableType(columns=wanted):
            return _columns_reason({c.name: c.type for c in there}, wanted) if there else None
        case BlobType(), BlobType():
            return None if src.format == dst.format else _not(src, dst)
        case _:
            return _not(src, dst)


def _columns_reason(there: dict[str, LiteralType], wanted: tuple[Column, ...]) -> str | None:
    for column in wanted:
        if column.name not in there:
            return f"there is no column {column.name!r}; the columns are: {', '.join(there)}"
        own = there[column.name]
        variants = column.type.variants if isinstance(column.type, UnionType) else (column.type,)
        owns = own.variants if isinstance(own, UnionType) else (own,)
        if not set(owns) <= set(variants):
            return f"column {column.name!r}: {_not(own, column.type)}"
    return None


def _variant(src: LiteralType, dst: UnionType, scopes: _Scopes) -> int | str:
    """The index of the variant that a value of `src` becomes.

    The equal one, else the only one that takes it as it is, else the only one.
    """
    accepting = [i for i, variant in enumerate(dst.variants) if _reason(src, variant, scopes) is None]
    equal = [i for i in accepting if resolved(dst.variants[i], scopes.dst) == src]
    plain = [i for i in accepting if not _changes(src, dst.variants[i], scopes)]
    named = [i for i in plain if _name(resolved(dst.variants[i], scopes.dst)) == _name(src)]
    for choice in (equal, named, plain, accepting):
        if len(choice) == 1:
            return choice[0]
    if not accepting:
        return _not(src, dst)
    return f"{describe(src)} could be {' or '.join(describe(dst.variants[i]) for i in accepting)} in {describe(dst)}"


def _name(type: LiteralType) -> str | None:
    return type.name if isinstance(type, RecordType | EnumType | RecursionRef) else None


def needs_conversion(src: LiteralType, dst: LiteralType) -> bool:
    """Whether the wire differs: a union wants its tag, an int becomes a float, a default is filled in."""
    return src != dst and _changes(src, dst, _NO_SCOPES)


def _changes(src: LiteralType, dst: LiteralType, scopes: _Scopes) -> bool:
    src, dst = resolved(src, scopes.src), resolved(dst, scopes.dst)
    if (src, dst) in scopes.assumed:
        return False
    match src, dst:
        case Simple(), Simple():
            return src != dst
        case LiteralValues(values=values), Simple(name="float"):
            return any(type(value) is int for value in values)
        case LiteralValues(), LiteralValues() | Simple():
            return False
        case (ListType(item=a), ListType(item=b)) | (SetType(item=a), SetType(item=b)):
            return _changes(a, b, scopes)
        case DictType(key=k, value=v), DictType(key=key, value=value):
            return (k == STR) != (key == STR) or _changes(k, key, scopes) or _changes(v, value, scopes)
        case TupleType(items=items), TupleType(items=others):
            return any(_changes(a, b, scopes) for a, b in zip(items, others, strict=False))
        case RecordType(), RecordType():
            inside = scopes.inside(src, dst)
            given = {field.name: field.type for field in src.fields}
            names = [field.name for field in dst.fields]
            return names != list(given) or any(_changes(given[f.name], f.type, inside) for f in dst.fields)
        case UnionType(variants=variants), UnionType(variants=others):
            if len(variants) != len(others) or is_optional(src) != is_optional(dst):
                return True
            pairs = zip(variants, others, strict=True)
            return any(_changes(a, b, scopes) or _reason(a, b, scopes) is not None for a, b in pairs)
        case Hashed(item=a), Hashed(item=b):
            return _changes(a, b, scopes)
        case (Hashed() | UnionType(), _) | (_, Hashed()):
            return True
        case _, UnionType():
            if is_optional(dst):
                return src != Simple("none") and _changes(src, dst.variants[0], scopes)
            return True
        case _:
            return False


def convert(wire: Wire, src: LiteralType, dst: LiteralType) -> Wire:
    """The wire value of `dst` for a wire value of `src`, where `compatible(src, dst)` is None."""
    return _convert(wire, src, dst, _NO_SCOPES) if needs_conversion(src, dst) else wire


def _convert(wire: Any, src: LiteralType, dst: LiteralType, scopes: _Scopes) -> Any:
    src, dst = resolved(src, scopes.src), resolved(dst, scopes.dst)
    match src, dst:
        case Hashed(item=a), Hashed(item=b):
            return {"h": wire["h"], "v": _convert(wire["v"], a, b, scopes)}
        case Hashed(item=item), _:
            return _convert(wire["v"], item, dst, scopes)
        case _, Hashed(item=item):
            return {"h": None, "v": _convert(wire, src, item, scopes)}
        case UnionType(variants=variants), _:
            if is_optional(src):
                return _convert(wire, Simple("none") if wire is None else variants[0], dst, scopes)
            return _convert(wire["v"], variants[wire["k"]], dst, scopes)
        case _, UnionType(variants=variants):
            if is_optional(dst):
                return wire if src == Simple("none") else _convert(wire, src, variants[0], scopes)
            found = _variant(src, dst, scopes)
            if isinstance(found, str):
                raise ValueMismatch(found)
            return {"k": found, "v": _convert(wire, src, variants[found], scopes)}
        case Simple(name="int") | LiteralValues(), Simple(name="float"):
            return float_of(int(wire))
        case ListType(item=a), ListType(item=b):
            return [_convert(each, a, b, scopes) for each in wire]
        case SetType(item=a), SetType(item=b):
            return sorted((_convert(each, a, b, scopes) for each in wire), key=canonical)
        case DictType(key=k, value=v), DictType(key=key, value=value):
            pairs = [
                [_convert(name, k, key, scopes), _convert(each, v, value, scopes)]
                for name, each in (wire.items() if k == STR else wire)
            ]
            return dict(pairs) if key == STR else pairs
        case TupleType(items=items), TupleType(items=others):
            return [_convert(each, a, b, scopes) for each, a, b in zip(wire, items, others, strict=True)]
        case RecordType(), RecordType():
            return _convert_record(wire, src, dst, scopes)
        case _:
            return wire


def _convert_record(wire: Any, src: RecordType, dst: RecordType, scopes: _Scopes) -> Any:
    inside = _Scopes(entered(src, scopes.src), entered(dst, scopes.dst), scopes.assumed)
    given = {field.name: field for field in src.fields}
    made = {}
    for field in dst.fields:
        own = given.get(field.name)
        value = field.default if own is None else wire.get(field.name, own.default)
        if value is not UNSET:
            made[field.name] = value if own is None else _convert(value, own.type, field.type, inside)
    return made
