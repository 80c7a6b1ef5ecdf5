"""Values whose content is stored apart: files, tables, arrays, models, pickles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wingbeat.types.errors import UnsupportedType, ValueMismatch, shown
from wingbeat.types.files import Directory, File
from wingbeat.types.markers import Columns, Format
from wingbeat.types.model import (
    Blob,
    BlobIO,
    BlobType,
    Column,
    DirectoryType,
    FileType,
    Hashed,
    LiteralType,
    TableType,
    Wire,
)
from wingbeat.types.node import COERCED, Node, fit_class
from wingbeat.types.registry import Handler, Offer, find, load
from wingbeat.types.text import describe

__all__ = ["PICKLE", "blob_of", "content_node", "handled_node", "hashed_node", "is_blob"]

PICKLE = Offer(BlobType("pickle"), "wingbeat.runtime.handlers.pickle:PickleHandler", True)


def is_blob(type: LiteralType) -> bool:
    """Whether a value of this type is a blob itself."""
    return isinstance(type, FileType | DirectoryType | TableType | BlobType)


def blob_of(wire: Any, type: LiteralType) -> Blob:
    """The blob that a wire value describes."""
    try:
        blob = msgspec.convert(wire, Blob)
    except msgspec.ValidationError as error:
        raise ValueMismatch(f"expected {describe(type)}, got {shown(wire)} ({error})") from None
    if isinstance(type, FileType | DirectoryType):
        layout = "directory" if isinstance(type, DirectoryType) else "file"
        if blob.layout != layout:
            raise ValueMismatch(f"expected {describe(type)}, got a stored {blob.layout} named {blob.name!r}")
    return blob


def store(path: str, name: str, layout: str, io: BlobIO) -> Blob:
    """Put a local path; what is wrong with the path is a mismatch of the value."""
    try:
        return io.put_directory(path, name) if layout == "directory" else io.put_file(path, name)
    except FileNotFoundError:
        raise ValueMismatch(f"expected a {layout}, but there is nothing at {path}") from None
    except (IsADirectoryError, NotADirectoryError):
        other = "file" if layout == "directory" else "directory"
        raise ValueMismatch(f"expected a {layout}, but {path} is a {other}") from None
    except ValueError as error:  # a pipe, a link that leads out of a tree, …
        raise ValueMismatch(f"expected a {layout}: {error}") from None


def content_node(cls: type[File | Directory], format: str = "") -> Node:
    """`File` or `Directory`, of a format or of any."""
    literal: LiteralType = FileType(format) if cls is File else DirectoryType(format)

    def encode(value: Any, io: BlobIO) -> Wire:
        if type(value) is not cls:
            raise ValueMismatch.expected(describe(literal), value)
        blob = value.blob
        return (blob or store(value.__fspath__(), value.name, cls.layout, io)).wire()

    def decode(wire: Any, io: BlobIO) -> Any:
        return cls.stored(blob_of(wire, literal), io)

    def refine(markers: Sequence[Any]) -> Node:
        if any(isinstance(marker, Columns) for marker in markers):
            raise UnsupportedType(f"Columns belongs to tables, not to {cls.__name__}")
        formats = [marker.name for marker in markers if isinstance(marker, Format)]
        return content_node(cls, formats[-1] if formats else format)

    return Node(literal, encode, decode, fit_class(cls), python=cls, refine=refine)


def handled_node(offer: Offer, hint: Any, cls: Any, literal: TableType | BlobType | None = None) -> Node:
    """A class kept by a handler."""
    literal = literal or offer.type
    known = isinstance(cls, type) and cls is not Any  # Any is a class since Python 3.11
    name = f"{cls.__module__.partition('.')[0]}.{cls.__name__}" if known else str(cls)

    def encode(value: Any, io: BlobIO) -> Wire:
        if known and not _is_instance(value, cls, offer.subclasses):
            raise ValueMismatch.expected(name, value)
        handler = load(offer.handler)
        check_columns(literal, handler, value)
        label = getattr(handler, "name", "value")
        path = io.scratch(label)
        try:
            _ask(io, offer, name, object, "write", value, path)
        except (TypeError, ValueError) as error:
            raise ValueMismatch(f"this {name} cannot be stored: {error}") from error
        blob = store(path, label, handler.layout, io)
        rows = getattr(handler, "rows", None)
        if rows is not None and (count := rows(value)) is not None:
            blob = msgspec.structs.replace(blob, rows=count)
        return blob.wire()

    def decode(wire: Any, io: BlobIO) -> Any:
        handler = load(offer.handler)
        value = _ask(io, offer, name, cls if known else object, "read", io.fetch(blob_of(wire, literal)), hint)
        check_columns(literal, handler, value)
        return value

    def refine(markers: Sequence[Any]) -> Node:
        from wingbeat.types.transform import literal_type

        columns = [marker for marker in markers if isinstance(marker, Columns)]
        if any(isinstance(marker, Format) for marker in markers):
            raise UnsupportedType(f"Format belongs to File and Directory, not to {name}")
        if not columns:
            return handled_node(offer, hint, cls, literal)
        if not isinstance(literal, TableType):
            raise UnsupportedType(f"Columns belongs to tables, not to {name}")
        named = tuple(Column(key, literal_type(each)) for key, each in columns[-1].items)
        return handled_node(offer, hint, cls, TableType(named))

    def fit(value: Any) -> int:
        return fit_class(cls)(value) if known else COERCED

    return Node(literal, encode, decode, fit, python=cls if known else None, hashable=False, refine=refine)


def _ask(io: BlobIO, offer: Offer, name: str, kind: type, call: str, *args: Any) -> Any:
    """What a handler answers."""
    handler = load(offer.handler)
    ask: Any = getattr(io, "ask", None)  # `io` need not know of it
    if ask is None:
        return getattr(handler, call)(*args)
    return ask(handler, call, *args, told=f"The type {name!r}", target=offer.handler, kind=kind)


def _is_instance(value: Any, cls: type, subclasses: bool) -> bool:
    if type(value) is cls:
        return True
    # A class that is offered itself counts as its base: Spark's DataFrame is one of several.
    return isinstance(value, cls) and (subclasses or find(type(value)) is not None)


def check_columns(type: TableType | BlobType, handler: Handler, value: Any) -> None:
    """Whether a table has the columns that its type names."""
    look = getattr(handler, "columns", None)
    if not isinstance(type, TableType) or not type.columns or look is None:
        return
    found: dict[str, str] = look(value)
    for column in type.columns:
        expected = describe(column.type)
        if column.name not in found:
            there = ", ".join(found) or "none"
            raise ValueMismatch(f"expected a column {column.name!r} of {expected}; the columns are: {there}")
        actual = found[column.name]
        if actual != "any" and actual not in expected.split(" | ") and not expected.startswith(f"{actual}["):
            raise ValueMismatch(f"expected a column of {expected}, got one of {actual}").within(f"[{column.name!r}]")


def hashed_node(node: Node, function: Any) -> Node:
    """A value with the author's own hash beside it.

    A blob keeps the hash in itself, so that it stays with the content.
    """
    blob = is_blob(node.type)

    def encode(value: Any, io: BlobIO) -> Wire:
        wire: Any = node.encode(value, io)
        own = str(function(value))
        return {**wire, "hash": own} if blob else {"h": own, "v": wire}

    def decode(wire: Any, io: BlobIO) -> Any:
        if type(wire) is not dict or wire.keys() != {"h", "v"}:
            raise ValueMismatch.expected(f"{describe(node.type)} with its hash, as {{h: hash, v: value}}", wire)
        return node.decode(wire["v"], io)

    literal = node.type if blob else Hashed(node.type)
    return Node(literal, encode, node.decode if blob else decode, node.fit, python=node.python, hashable=node.hashable)
