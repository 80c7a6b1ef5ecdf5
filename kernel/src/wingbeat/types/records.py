"""Records, by the names of their fields: dataclasses, msgspec Structs, pydantic models, NamedTuples and TypedDicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET

from wingbeat.types.errors import UnsupportedType, ValueMismatch, shown
from wingbeat.types.model import BlobIO, RecordField, RecordType, Wire
from wingbeat.types.node import EXACT, MISFIT, Node

__all__ = ["Field", "Shape", "record_node", "shape_of"]

Make: TypeAlias = Callable[[dict[str, Any]], Any]


class Field(NamedTuple):
    """A field as its class declares it.

    `default` is UNSET if there is none, `optional` if only the class can make it.
    """

    name: str
    hint: Any
    default: Any = UNSET
    optional: bool = False


class Shape(NamedTuple):
    """What a class says about its records: the fields, and how to make one from their values."""

    fields: list[Field]
    make: Make
    is_dict: bool = False


_PLAIN_FACTORIES: tuple[Any, ...] = (list, dict, set, frozenset, tuple)


def shape_of(cls: Any, hints: Callable[[Any], Mapping[str, Any]]) -> Shape | None:
    """The shape of a record class, or None if it is no record. `hints` resolves the annotations of a class."""
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(cls, hints(cls))
    if issubclass(cls, msgspec.Struct):
        return _struct(cls, hints(cls))
    if isinstance(getattr(cls, "model_fields", None), dict) and hasattr(cls, "model_validate"):
        return _pydantic(cls, hints)
    if hasattr(cls, "__total__") and hasattr(cls, "__required_keys__"):
        return _typed_dict(cls, hints(cls))
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple(cls, hints(cls))
    return None


def _default(default: Any, factory: Any, missing: Any, hint: Any, name: str) -> Field:
    if default is not missing:
        return Field(name, hint, default)
    if factory is missing:
        return Field(name, hint)
    if factory in _PLAIN_FACTORIES:
        return Field(name, hint, factory())
    return Field(name, hint, optional=True)


def _dataclass(cls: Any, hints: Mapping[str, Any]) -> Shape:
    from dataclasses import MISSING, fields

    declared = fields(cls)
    found = []
    for field in declared:
        each = _default(field.default, field.default_factory, MISSING, hints[field.name], field.name)
        # Made by __post_init__, perhaps: a record from outside need not bring it.
        found.append(each._replace(optional=True) if not field.init and each.default is UNSET else each)
    code = getattr(cls.__init__, "__code__", None)
    arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount] if code else ()
    if set(arguments) == {field.name for field in declared}:
        return Shape(
            found, _restored(cls, object.__setattr__) if hasattr(cls, "__post_init__") else lambda got: cls(**got)
        )
    if set(arguments) == {field.name for field in declared if field.init}:
        inits = {field.name for field in declared if field.init}
        return Shape(found, _restored(cls, object.__setattr__, inits))

    # An __init__ of its own, or one that takes what the record does not keep (InitVar): only the fields are known.
    def fill(got: dict[str, Any]) -> Any:
        record = object.__new__(cls)
        for field in declared:
            if field.name in got:
                object.__setattr__(record, field.name, got[field.name])
            elif field.default_factory is not MISSING:
                object.__setattr__(record, field.name, field.default_factory())
        return record

    return Shape(found, fill)


def _restored(cls: Any, put: Callable[[Any, str, Any], None], inits: set[str] | None = None) -> Make:
    """Make a record through its constructor, so that the author's checks run.

    What those changed is put back: a value that was made once is not made a second time.
    """

    def make(got: dict[str, Any]) -> Any:
        record = cls(**(got if inits is None else {name: value for name, value in got.items() if name in inits}))
        for name, value in got.items():
            if getattr(record, name, UNSET) is not value:
                put(record, name, value)
        return record

    return make


def _struct(cls: Any, hints: Mapping[str, Any]) -> Shape:
    none = msgspec.NODEFAULT
    found = [_default(f.default, f.default_factory, none, hints[f.name], f.name) for f in msgspec.structs.fields(cls)]
    post = hasattr(cls, "__post_init__")
    return Shape(found, _restored(cls, msgspec.structs.force_setattr) if post else lambda got: cls(**got))


def _pydantic(cls: Any, hints: Callable[[Any], Mapping[str, Any]]) -> Shape:
    resolved = hints(cls)
    found, keys = [], {}
    for name, info in cls.model_fields.items():
        required = info.is_required()
        factory = None if required else info.default_factory
        keys[name] = info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name
        default = UNSET if required or factory is not None else info.default
        found.append(_default(default, UNSET if factory is None else factory, UNSET, resolved[name], name))
    by_name = cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name")

    def make(got: dict[str, Any]) -> Any:
        record = cls.model_validate({name if by_name else keys[name]: value for name, value in got.items()})
        record.__dict__.update(got)
        return record

    return Shape(found, make)


def _typed_dict(cls: Any, hints: Mapping[str, Any]) -> Shape:
    found = []
    for name, hint in hints.items():
        optional = name not in cls.__required_keys__
        while (qualifier := str(get_origin(hint)).rpartition(".")[2]) in ("Required", "NotRequired", "ReadOnly"):
            # The class itself does not see a qualifier in an annotation that is still a string.
            optional = optional if qualifier == "ReadOnly" else qualifier == "NotRequired"
            hint = get_args(hint)[0]  # noqa: PLW2901  # without its qualifier
        found.append(Field(name, hint, optional=optional))
    return Shape(found, dict, is_dict=True)


def _named_tuple(cls: Any, hints: Mapping[str, Any]) -> Shape:
    untyped = [name for name in cls._fields if name not in hints]
    if untyped:
        raise UnsupportedType(f"{cls.__name__}.{untyped[0]} has no type: write a typing.NamedTuple with annotations")
    return Shape(
        [Field(name, hints[name], cls._field_defaults.get(name, UNSET)) for name in cls._fields], lambda got: cls(**got)
    )


class _NeedsStore(Exception):
    """A default that has content: it cannot be part of a type."""


class NoIO:
    """A `BlobIO` for values that need none."""

    def __getattr__(self, name: str) -> Any:
        raise _NeedsStore


def field_of(field: Field, node: Node) -> RecordField:
    """A field of the literal type; its default as a wire value, if it can be one."""
    if field.default is UNSET:
        return RecordField(field.name, node.type, optional=field.optional)
    try:
        return RecordField(field.name, node.type, node.encode(field.default, cast(BlobIO, NoIO())))
    except _NeedsStore:
        return RecordField(field.name, node.type, optional=True)
    except ValueMismatch as error:
        raise UnsupportedType(f"the default does not fit: {error.message}").within(f".{field.name}") from None


def record_node(cls: Any, name: str, shape: Shape, nodes: list[Node]) -> Node:
    """A record class whose field types are compiled."""
    names = [field.name for field in shape.fields]
    literal = RecordType(name, tuple(field_of(field, node) for field, node in zip(shape.fields, nodes, strict=True)))
    encoders = [(field, node.encode) for field, node in zip(names, nodes, strict=True)]
    decoders = [(field, node.plain, node.decode) for field, node in zip(names, nodes, strict=True)]
    filling = _filler(literal, {field: decode for field, _, decode in decoders})
    count, make = len(names), shape.make

    def encode(value: Any, io: BlobIO) -> Wire:
        if type(value) is not cls:
            raise _no_instance(value, cls, name)
        wire = {}
        try:
            for field, encode_field in encoders:
                wire[field] = encode_field(getattr(value, field), io)
        except ValueMismatch as error:
            error.within(f".{field}")
            raise
        except AttributeError as error:
            raise ValueMismatch(f"expected {name}, got one without its field {field!r}") from error
        return wire

    def decode(wire: Any, io: BlobIO) -> Any:
        if type(wire) is not dict:
            raise ValueMismatch.expected(name, wire)
        if len(wire) != count:
            got = filling(wire, io)
        else:
            got = {}
            try:
                for field, plain, decode_field in decoders:
                    value = wire[field]
                    got[field] = value if type(value) is plain else decode_field(value, io)
            except ValueMismatch as error:
                error.within(f".{field}")
                raise
            except KeyError:
                got = filling(wire, io)
        try:
            return make(got)
        except Exception as error:  # the author's own checks, of any class
            raise ValueMismatch(f"{name} refuses its fields: {error}") from error

    def fit(value: Any) -> int:
        return EXACT if type(value) is cls else MISFIT

    hashable = getattr(cls, "__hash__", None) is not None
    if shape.is_dict:
        return Node(
            literal,
            _encode_dict(literal, dict(encoders)),
            decode,
            _fit_dict(literal, nodes),
            python=None,
            hashable=False,
        )
    return Node(literal, encode, decode, fit, python=cls, hashable=hashable)


def _no_instance(value: Any, cls: Any, name: str) -> ValueMismatch:
    if isinstance(value, cls):
        return ValueMismatch(f"expected {name}, got {shown(value)}: a subclass, whose own fields would be lost")
    return ValueMismatch.expected(name, value)


def _filler(type: RecordType, decoders: dict[str, Any]) -> Callable[[dict[str, Any], BlobIO], dict[str, Any]]:
    """The slow way in: fields may be missing (then their default counts) or be none of ours."""

    def fill(wire: dict[str, Any], io: BlobIO) -> dict[str, Any]:
        check_fields(type, wire)
        got = {}
        for field in type.fields:
            given = wire.get(field.name, UNSET) if field.name in wire else field.default
            if given is not UNSET:
                try:
                    got[field.name] = decoders[field.name](given, io)
                except ValueMismatch as error:
                    error.within(f".{field.name}")
                    raise
        return got

    return fill


def check_fields(type: RecordType, given: Mapping[str, Any]) -> None:
    """Refuse fields that the record does not have, and miss those that it must have."""
    known = {field.name for field in type.fields}
    for name in given:
        if name not in known:
            raise ValueMismatch(f"{type.name} has no field {name!r}; its fields are: {', '.join(known_names(type))}")
    for field in type.fields:
        if field.name not in given and field.required:
            raise ValueMismatch(f"{type.name} needs a value for its field {field.name!r}")


def known_names(type: RecordType) -> list[str]:
    """The names of a record's fields, in order."""
    return [field.name for field in type.fields]


def _encode_dict(type: RecordType, encoders: dict[str, Any]) -> Any:
    def encode(value: Any, io: BlobIO) -> Wire:
        if not isinstance(value, dict):
            raise ValueMismatch.expected(type.name, value)
        check_fields(type, value)
        wire = {}
        for field in type.fields:
            if field.name in value:
                try:
                    wire[field.name] = encoders[field.name](value[field.name], io)
                except ValueMismatch as error:
                    error.within(f"[{field.name!r}]")
                    raise
        return wire

    return encode


def _fit_dict(type: RecordType, nodes: list[Node]) -> Any:
    known = {field.name: node for field, node in zip(type.fields, nodes, strict=True)}

    def fit(value: Any) -> int:
        if not isinstance(value, dict) or any(name not in known for name in value):
            return MISFIT
        if any(field.required and field.name not in value for field in type.fields):
            return MISFIT
        return min((known[name].fit(each) for name, each in value.items()), default=EXACT)

    return fit


def class_hints(cls: Any, local: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a class, with names that only a function knows taken from `local`."""
    return get_type_hints(cls, None, local or None, include_extras=True)
