"""Lists, tuples, sets, dicts and unions of what is compiled already."""

from __future__ import annotations

from typing import Any

import msgspec

from wingbeat.types.errors import UnsupportedType, ValueMismatch
from wingbeat.types.model import (
    BlobIO,
    DictType,
    Hashed,
    ListType,
    LiteralType,
    SetType,
    Simple,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.node import EXACT, MISFIT, SUBCLASS, Node, checked
from wingbeat.types.text import describe

__all__ = [
    "canonical",
    "dict_node",
    "is_optional",
    "list_node",
    "order_variants",
    "set_node",
    "tuple_node",
    "union_node",
    "variant_of",
]

canonical = msgspec.json.encode
STR = Simple("str")
NONE_TYPE = Simple("none")
_TAGGED = {"k", "v"}


def _worst(fits: Any, best: int) -> int:
    """The worst of some fits, given how well the container itself fits."""
    for fit in fits:
        if fit < best:
            if fit == MISFIT:
                return MISFIT
            best = fit
    return best


def _own(value: Any, cls: type) -> int:
    return EXACT if type(value) is cls else SUBCLASS if isinstance(value, cls) else MISFIT


def list_node(item: Node, cls: type[list[Any] | tuple[Any, ...]] = list) -> Node:
    """`list[T]`, and `tuple[T, ...]` with `cls=tuple`."""
    literal = ListType(item.type)
    expected = describe(literal) if cls is list else f"tuple[{describe(item.type)}, ...]"
    encode_item, decode_item, fit_item, plain = item.encode, item.decode, item.fit, item.plain

    def encode(value: Any, io: BlobIO) -> Wire:
        if not isinstance(value, cls):
            raise ValueMismatch.expected(expected, value)
        wire: list[Any] = []
        try:
            for each in value:
                wire.append(encode_item(each, io))
        except ValueMismatch as error:
            error.within(f"[{len(wire)}]")
            raise
        return wire

    def decode(wire: Any, io: BlobIO) -> Any:
        checked(wire, list, expected)
        value: list[Any] = []
        try:
            for each in wire:
                value.append(each if type(each) is plain else decode_item(each, io))
        except ValueMismatch as error:
            error.within(f"[{len(value)}]")
            raise
        return value if cls is list else tuple(value)

    def fit(value: Any) -> int:
        own = _own(value, cls)
        return _worst(map(fit_item, value), own) if own else MISFIT

    return Node(literal, encode, decode, fit, python=cls, hashable=cls is tuple and item.hashable)


def tuple_node(items: tuple[Node, ...]) -> Node:
    """`tuple[A, B]`."""
    literal = TupleType(tuple(item.type for item in items))
    expected = describe(literal)

    def encode(value: Any, io: BlobIO) -> Wire:
        if not isinstance(value, tuple) or len(value) != len(items):
            raise ValueMismatch.expected(expected, value)
        wire: list[Any] = []
        try:
            for item, each in zip(items, value, strict=True):
                wire.append(item.encode(each, io))
        except ValueMismatch as error:
            error.within(f"[{len(wire)}]")
            raise
        return wire

    def decode(wire: Any, io: BlobIO) -> Any:
        checked(wire, list, expected)
        if len(wire) != len(items):
            raise ValueMismatch.expected(expected, wire)
        value: list[Any] = []
        try:
            for item, each in zip(items, wire, strict=True):
                value.append(item.decode(each, io))
        except ValueMismatch as error:
            error.within(f"[{len(value)}]")
            raise
        return tuple(value)

    def fit(value: Any) -> int:
        own = _own(value, tuple)
        if not own or len(value) != len(items):
            return MISFIT
        return _worst((item.fit(each) for item, each in zip(items, value, strict=True)), own)

    return Node(literal, encode, decode, fit, python=tuple, hashable=all(item.hashable for item in items))


def set_node(item: Node, cls: type[set[Any] | frozenset[Any]] = set) -> Node:
    """`set[T]` and `frozenset[T]`: sorted by their canonical bytes, since a set has no order of its own."""
    literal = SetType(item.type)
    expected = f"{cls.__name__}[{describe(item.type)}]"
    if not item.hashable:
        raise UnsupportedType(f"{expected} is not supported: {describe(item.type)} is not hashable")

    def encode(value: Any, io: BlobIO) -> Wire:
        if not isinstance(value, cls):
            raise ValueMismatch.expected(expected, value)
        wire: list[Any] = []
        for each in value:
            try:
                wire.append(item.encode(each, io))
            except ValueMismatch as error:
                error.within("{…}")
                raise
        return sorted(wire, key=canonical)

    def decode(wire: Any, io: BlobIO) -> Any:
        checked(wire, list, expected)
        try:
            value = cls(item.decode(each, io) for each in wire)
        except ValueMismatch as error:
            error.within("{…}")
            raise
        if len(value) != len(wire):
            raise ValueMismatch(f"expected {expected}, got the same item twice")
        return value

    def fit(value: Any) -> int:
        own = _own(value, cls)
        return _worst(map(item.fit, value), own) if own else MISFIT

    return Node(literal, encode, decode, fit, python=cls, hashable=cls is frozenset)


def dict_node(key: Node, value: Node) -> Node:
    """`dict[K, V]`, in its own order: an object if the keys are plain strings, else pairs."""
    literal = DictType(key.type, value.type)
    expected = describe(literal)
    if not key.hashable:
        raise UnsupportedType(f"{expected} is not supported: {describe(key.type)} is not hashable")
    as_object = key.type == STR
    encode_key, encode_value, decode_key, decode_value = key.encode, value.encode, key.decode, value.decode

    def encode(mapping: Any, io: BlobIO) -> Wire:
        if not isinstance(mapping, dict):
            raise ValueMismatch.expected(expected, mapping)
        pairs: list[Any] = []
        for k, v in mapping.items():
            try:
                pairs.append([encode_key(k, io), encode_value(v, io)])
            except ValueMismatch as error:
                error.within(f"[{k!r:.60}]")
                raise
        return dict(pairs) if as_object else pairs

    def decode(wire: Any, io: BlobIO) -> Any:
        checked(wire, dict if as_object else list, expected)
        made: dict[Any, Any] = {}
        for pair in wire.items() if as_object else wire:
            if not as_object and (type(pair) is not list or len(pair) != 2):
                raise ValueMismatch.expected("a pair of key and value", pair)
            try:
                k = decode_key(pair[0], io)
                made[k] = decode_value(pair[1], io)
            except ValueMismatch as error:
                error.within(f"[{pair[0]!r:.60}]")
                raise
        if len(made) != len(wire):
            raise ValueMismatch(f"expected {expected}, got the same key twice")
        return made

    def fit(mapping: Any) -> int:
        own = _own(mapping, dict)
        if not own:
            return MISFIT
        return _worst(map(value.fit, mapping.values()), _worst(map(key.fit, mapping), own))

    return Node(literal, encode, decode, fit, python=dict, hashable=False)


def is_optional(type: UnionType) -> bool:
    """Whether a union is one type or none, written without a tag."""
    variants = type.variants
    if len(variants) != 2 or variants[1] != NONE_TYPE:
        return False
    match variants[0]:
        case UnionType():
            return False
        case _ as other:
            return not (hasattr(other, "values") and None in other.values)


def order_variants(types: list[LiteralType]) -> list[LiteralType]:
    """Distinct variants in canonical order, `none` last.

    A type may not depend on the order in a hint: `int | str == str | int`, and Python caches hints by equality.
    """
    distinct = list(dict.fromkeys(types))
    return sorted(distinct, key=lambda each: (each == NONE_TYPE, canonical(each)))


def union_node(variants: list[Node]) -> Node:
    """`A | B`: the variant that fits best is kept by its index; `T | None` needs none."""
    by_type: dict[LiteralType, Node] = {}
    for variant in variants:
        by_type.setdefault(variant.type, variant)
    nodes = [by_type[each] for each in order_variants(list(by_type))]
    if len(nodes) == 1:
        return nodes[0]
    literal = UnionType(tuple(node.type for node in nodes))
    if any(isinstance(node.type, Hashed) for node in nodes):
        raise UnsupportedType(f"HashWith belongs around the whole union: Annotated[{describe(literal)}, HashWith(…)]")
    if is_optional(literal):
        return _optional_node(literal, nodes[0])
    return _tagged_node(literal, nodes)


def _optional_node(literal: UnionType, node: Node) -> Node:
    encode_some, decode_some = node.encode, node.decode

    def encode(value: Any, io: BlobIO) -> Wire:
        return None if value is None else encode_some(value, io)

    def decode(wire: Any, io: BlobIO) -> Any:
        return None if wire is None else decode_some(wire, io)

    def fit(value: Any) -> int:
        return EXACT if value is None else node.fit(value)

    return Node(literal, encode, decode, fit, plain=node.plain, hashable=node.hashable)


def variant_of(wire: Any, type_: UnionType) -> int:
    """The index of the variant that a tagged wire value says."""
    if type(wire) is not dict or wire.keys() != _TAGGED or type(wire["k"]) is not int:
        raise ValueMismatch.expected(f"{describe(type_)} as {{k: variant, v: value}}", wire)
    index = wire["k"]
    if not 0 <= index < len(type_.variants):
        raise ValueMismatch(f"expected {describe(type_)}, got variant {index} of {len(type_.variants)}")
    return int(index)


def _tagged_node(literal: UnionType, nodes: list[Node]) -> Node:
    expected = describe(literal)
    classes = [node.python for node in nodes]
    # Where every variant has a class of its own, the exact class of a value decides at once.
    table = {cls: index for index, cls in enumerate(classes)}
    if None in classes or len(table) != len(classes):
        table = {}

    def choose(value: Any) -> int:
        index = table.get(type(value))
        if index is not None:
            return index
        fits = [node.fit(value) for node in nodes]
        best = max(fits)
        if best == MISFIT:
            raise ValueMismatch.expected(expected, value)
        return fits.index(best)

    def encode(value: Any, io: BlobIO) -> Wire:
        index = choose(value)
        return {"k": index, "v": nodes[index].encode(value, io)}

    def decode(wire: Any, io: BlobIO) -> Any:
        return nodes[variant_of(wire, literal)].decode(wire["v"], io)

    def fit(value: Any) -> int:
        return max(node.fit(value) for node in nodes)

    return Node(literal, encode, decode, fit, hashable=all(node.hashable for node in nodes))
