"""What a value is: Python type ⇄ literal type ⇄ wire value, lossless.

Everything is directed by the type: `codec(hint)` compiles a type hint once into two functions, one for each direction.
The wire value is plain data that JSON and msgpack carry alike; heavy values (files, tables, arrays, models) are stored
by their content, through a `BlobIO` that the caller gives, and their wire says where. Nothing here reads a file, a
clock or an environment.
"""

from __future__ import annotations

from wingbeat.types.bounds import check_depth
from wingbeat.types.cast import compatible, convert, needs_conversion
from wingbeat.types.content import digest, has_blobs
from wingbeat.types.errors import LimitExceeded, UnsupportedType, ValueMismatch
from wingbeat.types.failure import Failure
from wingbeat.types.files import Directory, File
from wingbeat.types.generic import check_wire, decode_generic, encode_generic
from wingbeat.types.markers import Columns, Format, HashWith, Pickle
from wingbeat.types.model import (
    Blob,
    BlobIO,
    BlobType,
    Codec,
    Column,
    DictType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    ListType,
    LiteralType,
    LiteralValues,
    RecordField,
    RecordType,
    RecursionRef,
    SetType,
    Simple,
    TableType,
    TupleType,
    UnionType,
    Wire,
)
from wingbeat.types.paths import pick, select
from wingbeat.types.registry import register, register_fallback
from wingbeat.types.text import choices, describe
from wingbeat.types.transform import annotation_doc, codec, literal_type

__all__ = [
    "Blob",
    "BlobIO",
    "BlobType",
    "Codec",
    "Column",
    "Columns",
    "DictType",
    "Directory",
    "DirectoryType",
    "EnumType",
    "Failure",
    "File",
    "FileType",
    "Format",
    "HashWith",
    "Hashed",
    "LimitExceeded",
    "ListType",
    "LiteralType",
    "LiteralValues",
    "Pickle",
    "RecordField",
    "RecordType",
    "RecursionRef",
    "SetType",
    "Simple",
    "TableType",
    "TupleType",
    "UnionType",
    "UnsupportedType",
    "ValueMismatch",
    "Wire",
    "annotation_doc",
    "check_depth",
    "check_wire",
    "choices",
    "codec",
    "compatible",
    "convert",
    "decode_generic",
    "describe",
    "digest",
    "encode_generic",
    "has_blobs",
    "literal_type",
    "needs_conversion",
    "pick",
    "register",
    "register_fallback",
    "select",
]
