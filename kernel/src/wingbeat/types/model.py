"""The literal types, as frozen structs, and the three protocols of this room: wire values, blobs and codecs.

A literal type says what a value is without naming any Python class, so that engine, console and other languages
understand it. A record that contains itself is written once; inside it, `RecursionRef` points to the nearest enclosing
record of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Literal, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, Struct

__all__ = [
    "Blob",
    "BlobIO",
    "BlobType",
    "Codec",
    "Column",
    "DictType",
    "DirectoryType",
    "EnumType",
    "FileType",
    "Hashed",
    "Layout",
    "ListType",
    "LiteralType",
    "LiteralValues",
    "RecordField",
    "RecordType",
    "RecursionRef",
    "SetType",
    "Simple",
    "SimpleName",
    "Strict",
    "TableType",
    "TupleType",
    "UnionType",
    "Wire",
]

Wire: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""What travels in JSON and msgpack alike: integers within 64 bit, finite floats, string keys, no bytes."""

SimpleName: TypeAlias = Literal["none", "bool", "int", "float", "str", "bytes", "datetime", "date", "timedelta"]
Layout: TypeAlias = Literal["file", "directory"]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a spec. A reader refuses a field that it does not know: what it leaves out may be what decides."""


class Simple(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="simple"):
    """A scalar, by name."""

    name: SimpleName


class ListType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="list"):
    """Any number of items of one type (also `tuple[T, ...]`)."""

    item: LiteralType


class TupleType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="tuple"):
    """A fixed number of items, each of its own type."""

    items: tuple[LiteralType, ...]


class SetType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="set"):
    """Distinct items of one type; on the wire a list in canonical order."""

    item: LiteralType


class DictType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="dict"):
    """A mapping that keeps its order: an object on the wire if the keys are strings, else a list of pairs."""

    key: LiteralType
    value: LiteralType


class UnionType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="union"):
    """One of several types, in canonical order with `none` last.

    One type or none is written plain; every other union as `{"k": index of the variant, "v": value}`.
    """

    variants: tuple[LiteralType, ...]


class EnumType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="enum"):
    """A member of an enumeration, by name; of a flag, the names joined by `|`."""

    name: str
    members: tuple[str, ...]
    flag: bool = False


class LiteralValues(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="literal"):
    """One of these very values."""

    values: tuple[bool | int | str | None, ...]

    def __eq__(self, other: object) -> bool:
        """Equal only with equal types too: `Literal[1]` is not `Literal[True]`."""
        if type(other) is not LiteralValues:
            return NotImplemented
        return [(type(v), v) for v in self.values] == [(type(v), v) for v in other.values]

    def __hash__(self) -> int:
        return hash(self.values)


class RecordField(Strict, frozen=True, omit_defaults=True):
    """A field of a record.

    `default` is a wire value; `optional` without one: the author's code makes it (a factory).
    """

    name: str
    type: LiteralType
    default: Any = UNSET
    optional: bool = False

    def __eq__(self, other: object) -> bool:
        """Equal only with equal types of the default too: 1 is neither 1.0 nor True."""
        if type(other) is not RecordField:
            return NotImplemented
        mine, theirs = (self.name, self.optional, self.type), (other.name, other.optional, other.type)
        return mine == theirs and _bytes(self.default) == _bytes(other.default)

    def __hash__(self) -> int:
        return hash((self.name, self.type))

    @property
    def required(self) -> bool:
        """Whether a value without this field is refused."""
        return self.default is UNSET and not self.optional


def _bytes(default: object) -> bytes | None:
    return None if default is UNSET else msgspec.msgpack.encode(default)


class RecordType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="record"):
    """Named fields: dataclass, msgspec Struct, pydantic model, NamedTuple or TypedDict."""

    name: str
    fields: tuple[RecordField, ...]


class RecursionRef(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="ref"):
    """The nearest enclosing record of this name."""

    name: str


class FileType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="file"):
    """A file; `format` is a word such as `csv`, or empty for any."""

    format: str = ""


class DirectoryType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="directory"):
    """A tree of files; `format` is a word, or empty for any."""

    format: str = ""


class Column(Strict, frozen=True, omit_defaults=True):
    """A column of a table, and the type of its values."""

    name: str
    type: LiteralType


class TableType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="table"):
    """A table stored as Parquet, of any flavour; it has at least these columns (none named: any)."""

    columns: tuple[Column, ...] = ()


class BlobType(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="blob"):
    """Content only its own library reads: an array (`npy`), a model (`xgboost`), a pickle."""

    format: str
    layout: Layout = "file"


class Hashed(Strict, frozen=True, omit_defaults=True, cache_hash=True, tag_field="type", tag="hashed"):
    """A value that brings its own hash for caching: `{"h": hash or null, "v": value}` on the wire."""

    item: LiteralType


LiteralType = (
    Simple
    | ListType
    | TupleType
    | SetType
    | DictType
    | UnionType
    | EnumType
    | LiteralValues
    | RecordType
    | RecursionRef
    | FileType
    | DirectoryType
    | TableType
    | BlobType
    | Hashed
)


class Blob(Struct, frozen=True, omit_defaults=True):
    """The wire of files, directories, tables, arrays and models: where the content is, and what it is."""

    uri: str
    digest: str
    size: int
    name: str
    layout: Layout = "file"
    rows: int | None = None
    hash: str | None = None

    def wire(self) -> dict[str, Any]:
        """As a wire value."""
        made: dict[str, Any] = {
            "uri": self.uri,
            "digest": self.digest,
            "size": self.size,
            "name": self.name,
            "layout": self.layout,
        }
        if self.rows is not None:
            made["rows"] = self.rows
        if self.hash is not None:
            made["hash"] = self.hash
        return made


class BlobIO(Protocol):
    """How content is stored and fetched; runtime and engine implement it.

    May also have `ask(handler, call, *args, told=…, target=…, kind=…)`: makes a call of somebody's handler, within bounds. It is
    named to people by `told` and ``module:attribute``, and answers with a `kind`. Raises PluginFailed where that goes wrong.
    """

    def put_file(self, path: str, name: str) -> Blob:
        """Store a local file by its content."""
        ...

    def put_directory(self, path: str, name: str) -> Blob:
        """Store a local tree by its content."""
        ...

    def fetch(self, blob: Blob) -> str:
        """A local path of the content (file or directory), for reading only: it may be the store's own."""
        ...

    def open(self, blob: Blob, mode: str) -> IO[Any]:
        """Read a file's content as a stream."""
        ...

    def scratch(self, name: str) -> str:
        """A fresh local path at which to write something before it is put."""
        ...


class Codec(Protocol):
    """The two directions of one type hint."""

    type: LiteralType

    def encode(self, value: object, io: BlobIO) -> Wire:
        """Python value to wire; raises `ValueMismatch`."""
        ...

    def decode(self, wire: Wire, io: BlobIO) -> Any:
        """Wire to Python value; raises `ValueMismatch` or `LimitExceeded`."""
        ...


Scope: TypeAlias = Mapping[str, RecordType]
"""The records that enclose a type, by name: what its recursion references mean."""
