"""Values without a type hint: for people who look at them, and from plain data that people write."""

from __future__ import annotations

import re
from typing import Any, cast

from wingbeat.types import times
from wingbeat.types.blobs import blob_of, is_blob, store
from wingbeat.types.bounds import check_wire_depth
from wingbeat.types.containers import STR, canonical, is_optional, variant_of
from wingbeat.types.errors import ValueMismatch
from wingbeat.types.files import Directory, File
from wingbeat.types.model import (
    BlobIO,
    BlobType,
    DictType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    ListType,
    LiteralType,
    LiteralValues,
    RecordType,
    Scope,
    SetType,
    Simple,
    TableType,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.node import Node
from wingbeat.types.records import NoIO, check_fields
from wingbeat.types.scalars import SCALARS
from wingbeat.types.scope import entered, resolved
from wingbeat.types.text import describe

__all__ = ["check_wire", "decode_generic", "encode_generic"]

_BY_NAME: dict[str, Node] = {node.type.name: node for node in SCALARS.values() if isinstance(node.type, Simple)}


def decode_generic(wire: Wire, type: LiteralType, io: BlobIO) -> Any:
    """A Python value without the author's classes.

    A record is a `SimpleNamespace`, an enum its name, a table or model its `File`.
    """
    check_wire_depth(wire)
    return _decode(wire, type, {}, io)


def check_wire(wire: Any, type: LiteralType) -> None:
    """Raises ValueMismatch for what is no wire form of a value of that type. Content that it refers to is not read."""
    try:
        decode_generic(wire, type, cast(BlobIO, NoIO()))
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, ValueMismatch) else ValueMismatch.expected(describe(type), wire) from None


def _decode(wire: Any, type: LiteralType, scope: Scope, io: BlobIO) -> Any:
    type = resolved(type, scope)
    if is_blob(type):
        blob = blob_of(wire, type)
        return (Directory if blob.layout == "directory" else File).stored(blob, io)
    match type:
        case Simple(name=name):
            return _BY_NAME[name].decode(wire, io)
        case EnumType() | LiteralValues():
            return _checked_name(wire, type)
        case ListType(item=item):
            return [_decode(each, item, scope, io) for each in _expect(wire, list, type)]
        case SetType(item=item):
            return [_decode(each, item, scope, io) for each in _expect(wire, list, type)]
        case TupleType(items=items):
            if len(_expect(wire, list, type)) != len(items):
                raise ValueMismatch.expected(describe(type), wire)
            return tuple(_decode(each, item, scope, io) for each, item in zip(wire, items, strict=True))
        case DictType(key=key, value=value):
            return _decode_dict(wire, type, key, value, scope, io)
        case UnionType(variants=variants):
            if is_optional(type):
                return None if wire is None else _decode(wire, variants[0], scope, io)
            variant = variants[variant_of(wire, type)]
            return _decode(wire["v"], variant, scope, io)
        case Hashed(item=item):
            if _expect(wire, dict, type).keys() != {"h", "v"}:
                raise ValueMismatch.expected(f"{describe(type)} as {{h: hash, v: value}}", wire)
            return _decode(wire["v"], item, scope, io)
        case RecordType():
            return _decode_record(_expect(wire, dict, type), type, scope, io)
    raise ValueMismatch.expected(describe(type), wire)


def _decode_dict(wire: Any, type: LiteralType, key: LiteralType, value: LiteralType, scope: Scope, io: BlobIO) -> Any:
    if key == STR:
        return {name: _decode(each, value, scope, io) for name, each in _expect(wire, dict, type).items()}
    if any(not isinstance(pair, list) or len(pair) != 2 for pair in _expect(wire, list, type)):
        raise ValueMismatch.expected(describe(type), wire)
    pairs = [(_decode(k, key, scope, io), _decode(v, value, scope, io)) for k, v in wire]
    try:
        return dict(pairs)
    except TypeError:  # a record or set as key, hashable in the author's class but not here
        return pairs


def _decode_record(wire: dict[str, Any], type: RecordType, scope: Scope, io: BlobIO) -> Any:
    from types import SimpleNamespace

    check_fields(type, wire)
    inside = entered(type, scope)
    found = {}
    for field in type.fields:
        if field.name in wire:
            found[field.name] = _within(f".{field.name}", _decode, wire[field.name], field.type, inside, io)
        elif not field.required and not field.optional:
            found[field.name] = _decode(field.default, field.type, inside, io)
    return SimpleNamespace(**found)


def _expect(wire: Any, cls: type, literal: LiteralType) -> Any:
    if type(wire) is not cls:
        raise ValueMismatch.expected(describe(literal), wire)
    return wire


def _checked_name(wire: Any, literal: EnumType | LiteralValues) -> Any:
    if isinstance(literal, LiteralValues):
        if any(type(wire) is type(value) and wire == value for value in literal.values):
            return wire
        raise ValueMismatch.expected(describe(literal), wire)
    parts = (
        wire.split("|") if type(wire) is str and literal.flag and wire else [wire] if wire or not literal.flag else []
    )
    if type(wire) is str and all(part in literal.members for part in parts):
        return wire
    raise ValueMismatch.expected(f"{literal.name} ({' | '.join(literal.members)})", wire)


def _within(step: str, call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except ValueMismatch as error:
        error.within(step)
        raise


def encode_generic(value: object, type: LiteralType, io: BlobIO) -> Wire:
    """A wire value from plain data, as a command line or an HTTP body brings it.

    Records are dicts, datetimes ISO strings, spans ISO strings or seconds, enums names, files and directories paths; a
    union takes the first variant that fits best. Raises `ValueMismatch` that names the place.
    """
    try:
        check_wire_depth(value)
        return cast(Wire, _encode(value, type, {}, io))
    except RecursionError:
        raise ValueMismatch("the value contains itself") from None


def _encode(value: Any, type: LiteralType, scope: Scope, io: BlobIO) -> Any:
    type = resolved(type, scope)
    if is_blob(type):
        return _encode_blob(value, type, io)
    match type:
        case Simple(name=name):
            return _encode_simple(value, name, io)
        case EnumType() | LiteralValues():
            return _checked_name(value, type)
        case ListType(item=item):
            return [_within(f"[{i}]", _encode, each, item, scope, io) for i, each in enumerate(_items(value, type))]
        case SetType(item=item):
            wires = [_within(f"[{i}]", _encode, each, item, scope, io) for i, each in enumerate(_items(value, type))]
            return [each for _, each in sorted({canonical(wire): wire for wire in wires}.items())]
        case TupleType(items=items):
            if len(_items(value, type)) != len(items):
                raise ValueMismatch.expected(describe(type), value)
            return [
                _within(f"[{i}]", _encode, each, item, scope, io)
                for i, (each, item) in enumerate(zip(value, items, strict=True))
            ]
        case DictType(key=key, value=inner):
            return _encode_dict(value, type, key, inner, scope, io)
        case UnionType():
            return _encode_union(value, type, scope, io)
        case Hashed(item=item):
            return {"h": None, "v": _encode(value, item, scope, io)}
        case RecordType():
            return _encode_record(value, type, scope, io)
    raise ValueMismatch.expected(describe(type), value)


def _items(value: Any, literal: LiteralType) -> Any:
    if not isinstance(value, list | tuple | set | frozenset) or (
        isinstance(value, set | frozenset) and not isinstance(literal, SetType)
    ):
        raise ValueMismatch.expected(describe(literal), value)
    return value


def _encode_simple(value: Any, name: str, io: BlobIO) -> Any:
    node = _BY_NAME[name]
    if name == "timedelta" and isinstance(value, int | float) and not isinstance(value, bool):
        from datetime import timedelta

        try:
            return times.format_timedelta(timedelta(seconds=value))
        except (OverflowError, ValueError):
            raise ValueMismatch.expected("timedelta", value) from None
    if isinstance(value, str) and name != "str":
        if name == "datetime" and re.fullmatch(r"[0-9-]{10}", value):
            value += "T00:00:00"
        # Through Python and back: what comes out is canonical.
        value = node.decode(value, io)
    return node.encode(value, io)


def _encode_dict(value: Any, type: LiteralType, key: LiteralType, inner: LiteralType, scope: Scope, io: BlobIO) -> Any:
    if isinstance(value, dict):
        pairs = [(name, name if key == STR else _key(name, key), each) for name, each in value.items()]
    elif (
        isinstance(value, list)
        and key != STR
        and all(isinstance(each, list | tuple) and len(each) == 2 for each in value)
    ):
        pairs = [(name, name, each) for name, each in value]
    else:
        raise ValueMismatch.expected(describe(type), value)
    made = []
    for name, plain, each in pairs:
        step = f"[{name!r}]"
        made.append([_within(step, _encode, plain, key, scope, io), _within(step, _encode, each, inner, scope, io)])
    if len({canonical(name) for name, _ in made}) != len(made):
        raise ValueMismatch(f"expected {describe(type)}, got the same key twice")
    return dict(made) if key == STR else made


def _key(name: Any, type: LiteralType) -> Any:
    """What the key of a JSON object means, if keys are no strings: `{"1": …}` for `dict[int, …]`."""
    if not isinstance(name, str) or not isinstance(type, Simple):
        return name
    if type.name == "int" and re.fullmatch(r"-?[0-9]{1,4300}", name):
        return int(name)
    if type.name == "float":
        try:
            return float(name)
        except ValueError:
            return name
    if type.name == "bool":
        return {"true": True, "false": False}.get(name, name)
    return name


def _encode_union(value: Any, type: UnionType, scope: Scope, io: BlobIO) -> Any:
    if is_optional(type):
        return None if value is None else _encode(value, type.variants[0], scope, io)
    reasons, found = [], []
    for index, variant in enumerate(type.variants):
        target = resolved(variant, scope)
        try:
            found.append((_rank(value, target), index, _encode(value, variant, scope, io)))
        except ValueMismatch as error:
            reasons.append(str(error))
    if not found:
        raise ValueMismatch(
            f"{ValueMismatch.expected(describe(type), value)} ({'; '.join(dict.fromkeys(reasons))})"[:1000]
        )
    _, index, wire = min(found, key=lambda each: each[:2])
    return {"k": index, "v": wire}


def _rank(value: Any, type: LiteralType) -> int:
    """How directly plain data says a type.

    What a string must be read for comes before a string that may say anything, files come last.
    """
    if is_blob(type):
        return 4
    if isinstance(type, Simple):
        if type.name == "str":
            return 2
        if type.name == "bytes":
            return 3
        if type.name in ("float", "timedelta") and isinstance(value, int | float):
            return 0 if type.name == "float" and isinstance(value, float) else 1 if type.name == "float" else 2
    return 0


def _encode_record(value: Any, type: RecordType, scope: Scope, io: BlobIO) -> Any:
    given = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    if not isinstance(given, dict):
        raise ValueMismatch.expected(type.name, value)
    check_fields(type, given)
    inside = entered(type, scope)
    made = {}
    for field in type.fields:
        if field.name in given:
            made[field.name] = _within(f".{field.name}", _encode, given[field.name], field.type, inside, io)
        elif not field.required and not field.optional:
            made[field.name] = field.default
    return made


def _encode_blob(value: Any, type: LiteralType, io: BlobIO) -> Any:
    if isinstance(value, File | Directory):
        return (value.blob or store(value.__fspath__(), value.name, value.layout, io)).wire()
    if isinstance(value, dict):
        return blob_of(value, type).wire()
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    if isinstance(value, str) and value:
        name = value.rstrip("/").rpartition("/")[2] or value
        match type:
            case FileType():
                return store(value, name, "file", io).wire()
            case DirectoryType():
                return store(value, name, "directory", io).wire()
            case TableType() | BlobType():
                return _store_either(value, name, io).wire()
    raise ValueMismatch.expected(f"{describe(type)} (a path)", value)


def _store_either(path: str, name: str, io: BlobIO) -> Any:
    """A table or model may be one file or a directory of parts; only the disk knows which this path is."""
    try:
        return store(path, name, "file", io)
    except ValueMismatch as error:
        if "is a directory" in str(error):
            return store(path, name, "directory", io)
        raise
