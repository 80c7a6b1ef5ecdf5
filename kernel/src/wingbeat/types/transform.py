"""From a type hint to its codec: the compiler of this room, and its cache."""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import msgspec

from wingbeat.types.blobs import PICKLE, content_node, handled_node, hashed_node
from wingbeat.types.bounds import DEPTH_MAX, check_wire_depth
from wingbeat.types.containers import dict_node, list_node, set_node, tuple_node, union_node
from wingbeat.types.errors import LimitExceeded, UnsupportedType, shown
from wingbeat.types.files import Directory, File
from wingbeat.types.markers import Columns, Format, HashWith, Pickle
from wingbeat.types.model import BlobIO, Codec, LiteralType, RecursionRef, Wire
from wingbeat.types.node import Node
from wingbeat.types.records import Shape, class_hints, record_node, shape_of
from wingbeat.types.registry import find
from wingbeat.types.scalars import SCALARS, enum_node, literal_node
from wingbeat.types.text import describe

__all__ = ["annotation_doc", "codec", "literal_type"]

TYPE_NODES_MAX = 10_000
TYPE_DEPTH_MAX = 48  # levels of JSON; leaves room below DEPTH_MAX for the document around it
_WHAT_TO_WRITE = "write the type of what is inside, such as list[int] or dict[str, Point]"

_codecs: dict[Any, Node] = {}
_nodes: dict[Any, Node] = {}


def codec(hint: object) -> Codec:
    """The codec of a type hint, compiled once; raises `UnsupportedType`."""
    try:
        known = _codecs.get(hint)
    except TypeError:  # an Annotated with something unhashable in it
        return cast(Codec, _finished(_Compiler().compile(hint)))
    if known is None:
        known = _codecs[hint] = _finished(_Compiler().compile(hint))
    return cast(Codec, known)


def literal_type(hint: object) -> LiteralType:
    """The literal type of a type hint; raises `UnsupportedType`."""
    return codec(hint).type


def annotation_doc(hint: object) -> str:
    """The doc string of `Annotated[T, "doc"]`: the first plain string; empty if there is none."""
    if get_origin(hint) is Annotated:
        return next((each for each in cast(Any, hint).__metadata__ if isinstance(each, str)), "")
    return ""


def _finished(node: Node) -> Node:
    """Check the size of a type as a document.

    Guard values of a type that contains itself, which alone can be endless.
    """
    document = msgspec.to_builtins(node.type)
    try:
        check_wire_depth(document, TYPE_DEPTH_MAX)
    except LimitExceeded:
        raise UnsupportedType(f"{describe(node.type)[:200]} nests too deep for a literal type") from None
    if '"type":"ref"' not in msgspec.json.encode(node.type).decode():
        return node
    encode_all, decode_all = node.encode, node.decode

    def encode(value: Any, io: BlobIO) -> Wire:
        try:
            wire = encode_all(value, io)
        except RecursionError:
            raise LimitExceeded(f"value nested deeper than {DEPTH_MAX} levels") from None
        check_wire_depth(wire)
        return wire

    def decode(wire: Any, io: BlobIO) -> Any:
        check_wire_depth(wire)
        return decode_all(wire, io)

    return Node(node.type, encode, decode, node.fit, python=node.python, hashable=node.hashable)


class _Open(NamedTuple):
    """A record whose fields are being compiled."""

    hint: Any
    cls: Any
    name: str
    cell: list[Node]


class _Compiler:
    """Compiles one hint. Knows which records it is inside of, so that a record may contain itself."""

    def __init__(self) -> None:
        self.open: list[_Open] = []
        self.aliases: list[Any] = []
        self.count = 0

    def compile(self, hint: Any) -> Node:
        """A node for a hint.

        Only what stands inside no record is shared, since references depend on the records around.
        """
        self.count += 1
        if self.count > TYPE_NODES_MAX:
            raise UnsupportedType(
                f"a literal type of more than {TYPE_NODES_MAX} parts: nest fewer records into each other"
            )
        if self.open:
            return self._compile(hint)
        try:
            node = _nodes.get(hint)
        except TypeError:
            return self._compile(hint)
        if node is None:
            node = _nodes[hint] = self._compile(hint)
        return node

    def _compile(self, hint: Any) -> Node:
        if (hint.__class__ is type and hint in SCALARS) or hint is None:
            return SCALARS[hint]
        if isinstance(hint, str | typing.ForwardRef):
            return self.compile(self._forward(hint))
        origin = get_origin(hint)
        if origin is Annotated:
            return self._annotated(hint)
        if origin is Union or origin is types.UnionType:
            return union_node([node for each in get_args(hint) for node in self._variants(each)])
        if origin is Literal:
            return literal_node(get_args(hint))
        if _is_alias(hint) or _is_alias(origin):
            return self._alias(hint, origin)
        if isinstance(hint, typing.NewType):
            return self.compile(hint.__supertype__)
        if origin is not None:
            return self._generic(hint, origin, get_args(hint))
        if isinstance(hint, type):
            return self._class(hint, hint)
        raise _unsupported(hint)

    def _variants(self, hint: Any) -> list[Node]:
        """The variants of a union inside a union, however it is wrapped."""
        inner = hint
        while isinstance(inner, typing.NewType) or _is_alias(inner) or (get_origin(inner) is Annotated):
            if get_origin(inner) is Annotated:
                if not all(isinstance(each, str) for each in inner.__metadata__):
                    return [self.compile(hint)]
                inner = inner.__origin__
            elif isinstance(inner, typing.NewType):
                inner = inner.__supertype__
            elif inner in self.aliases:
                break
            else:
                inner = inner.__value__
        if get_origin(inner) in (Union, types.UnionType):
            return [node for each in get_args(inner) for node in self._variants(each)]
        return [self.compile(hint)]

    def _annotated(self, hint: Any) -> Node:
        markers: Sequence[Any] = hint.__metadata__
        if any(each is Pickle or isinstance(each, Pickle) for each in markers):
            node = handled_node(PICKLE, hint.__origin__, hint.__origin__)
        else:
            node = self.compile(hint.__origin__)
            narrowing = [each for each in markers if isinstance(each, Format | Columns)]
            if narrowing and node.refine is None:
                raise UnsupportedType(f"{narrowing[0]!r} does not belong to {describe(node.type)}")
            if narrowing and node.refine is not None:
                node = node.refine(narrowing)
        for each in markers:
            if isinstance(each, HashWith):
                node = hashed_node(node, each.function)
        return node

    def _alias(self, hint: Any, origin: Any) -> Node:
        if hint in self.aliases:
            raise UnsupportedType(f"the alias {hint} contains itself: make it a dataclass, which may")
        alias = hint if origin is None or not _is_alias(origin) else origin
        value = alias.__value__
        if alias is origin:
            value = _substitute(value, dict(zip(alias.__type_params__, get_args(hint), strict=False)))
        self.aliases.append(hint)
        try:
            return self.compile(value)
        finally:
            self.aliases.pop()

    def _generic(self, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Node:
        if origin is list:
            return list_node(self.compile(arguments[0]))
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return list_node(self.compile(arguments[0]), tuple)
            return tuple_node(tuple(self.compile(each) for each in arguments))
        if origin in (set, frozenset):
            return set_node(self.compile(arguments[0]), origin)
        if origin is dict:
            return dict_node(self.compile(arguments[0]), self.compile(arguments[1]))
        if isinstance(origin, type) and origin.__module__ != "collections.abc":
            return self._class(hint, origin)
        raise _unsupported(hint)

    def _class(self, hint: Any, cls: Any) -> Node:
        if cls in (list, dict, set, frozenset, tuple):
            raise UnsupportedType(f"{cls.__name__} without a type inside is not supported: {_WHAT_TO_WRITE}")
        if cls is object:
            raise _unsupported(hint)
        if issubclass(cls, enum.Enum):
            return enum_node(cls)
        if issubclass(cls, File | Directory):
            return content_node(cls)
        for each in self.open:
            if each.hint == hint:
                return _reference(each)
        shape = shape_of(cls, self._hints)
        if shape is not None:
            return self._record(hint, cls, shape)
        offer = find(cls)
        if offer is None:
            raise _unsupported(hint)
        return handled_node(offer, hint, cls)

    def _record(self, hint: Any, cls: Any, shape: Shape) -> Node:
        name = cls.__qualname__.rpartition("<locals>.")[2]
        variables = _variables(hint, cls)
        arguments = get_args(hint)
        if arguments:
            name += f"[{', '.join(describe(self.compile(each).type) for each in arguments)}]"
        while any(each.name == name for each in self.open):
            name += "~"
        opened = _Open(hint, cls, name, [])
        self.open.append(opened)
        nodes: list[Node] = []
        try:
            for field in shape.fields:
                try:
                    nodes.append(self.compile(_substitute(field.hint, variables)))
                except UnsupportedType as error:
                    error.within(f".{field.name}")
                    raise
            node = record_node(cls, name, shape, nodes)
        except UnsupportedType as error:
            if len(self.open) == 1:
                error.within(name)
            raise
        finally:
            self.open.pop()
        opened.cell.append(node)
        return node

    def _hints(self, cls: Any) -> dict[str, Any]:
        """The annotations of a class; what its module does not know, the functions that are running may."""
        local: dict[str, Any] = {}
        while True:
            try:
                return class_hints(cls, local)
            except NameError as error:
                name = error.name or ""
                if not name or name in local:
                    raise UnsupportedType(f"{cls.__name__}: {error}") from None
                local[name] = self._look_up(name, cls)

    def _forward(self, hint: str | typing.ForwardRef) -> Any:
        text = hint if isinstance(hint, str) else hint.__forward_arg__
        return self._look_up(text, None)

    def _look_up(self, name: str, cls: Any) -> Any:
        for each in [cls, *(opened.cls for opened in reversed(self.open))]:
            if each is not None and each.__name__ == name:
                return each
            if each is not None and name in vars(each):
                return vars(each)[name]
        frame: Any = sys._getframe(1)  # noqa: SLF001  # inspect reads files and is a thousand times slower
        while frame is not None:
            if (
                not frame.f_globals.get("__name__", "").startswith(("wingbeat.types", "typing"))
                and name in frame.f_locals
            ):
                return frame.f_locals[name]
            frame = frame.f_back
        where = f" in {cls.__name__}" if cls is not None else ""
        raise UnsupportedType(
            f"the name {name!r}{where} is not known at run time; is it imported only under TYPE_CHECKING?"
        )


def _reference(opened: _Open) -> Node:
    cell = opened.cell
    return Node(
        RecursionRef(opened.name),
        lambda value, io: cell[0].encode(value, io),  # noqa: PLW0108  # the cell is filled later
        lambda wire, io: cell[0].decode(wire, io),  # noqa: PLW0108  # as above
        lambda value: cell[0].fit(value),  # noqa: PLW0108  # as above
        python=opened.cls if not hasattr(opened.cls, "__required_keys__") else None,
        hashable=getattr(opened.cls, "__hash__", None) is not None,
    )


def _is_alias(hint: Any) -> bool:
    """A `type X = …` of Python 3.12, or the one of typing_extensions; a parametrised one only says so by its origin."""
    return type(hint).__name__ == "TypeAliasType"


def _variables(hint: Any, cls: Any) -> dict[Any, Any]:
    """What the type variables of a generic class stand for, through its bases too."""
    found: dict[Any, Any] = dict(zip(getattr(cls, "__parameters__", ()), get_args(hint), strict=False))
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and get_args(base):
            for variable, value in _variables(base, origin).items():
                found.setdefault(variable, _substitute(value, found))
    return found


def _substitute(hint: Any, variables: dict[Any, Any]) -> Any:
    if not variables:
        return hint
    if isinstance(hint, TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(variables.get(each, each) for each in parameters)]


def _unsupported(hint: Any) -> UnsupportedType:
    name = getattr(hint, "__qualname__", None) or str(hint).removeprefix("typing.")
    module = getattr(hint, "__module__", "")
    if hint is Any or hint is object:
        return UnsupportedType(f"{name} is not supported: a value needs a type of its own; {_WHAT_TO_WRITE}")
    if isinstance(hint, TypeVar):
        return UnsupportedType(f"the type variable {hint} stands for nothing here: name the type, as in Box[int]")
    if module == "collections.abc" or (module == "typing" and get_origin(hint) is not None):
        return UnsupportedType(f"{hint} is not supported: write list[…], dict[…] or set[…], which say what comes back")
    if module == "pathlib" or module.startswith("pathlib."):
        return UnsupportedType(
            f"{name} is not supported: a path means nothing on another machine; use wingbeat.File or Directory"
        )
    if isinstance(hint, type):
        return UnsupportedType(
            f"{module}.{name} is not supported: make it a dataclass, install the plugin that offers it, "
            f"or ask for pickle by name: Annotated[{hint.__name__}, Pickle]"
        )
    return UnsupportedType(f"{shown(hint)} is not a type that a value can have")
