"""A literal type as a person would write it in Python."""

from __future__ import annotations

from wingbeat.types.model import (
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
    RecursionRef,
    SetType,
    Simple,
    TableType,
    TupleType,
    UnionType,
)

__all__ = ["choices", "describe"]


def describe(type: LiteralType) -> str:
    """`list[Point]`, `int | None`, `File[csv]`, `Table[id: int]`; records and enums by their name."""
    match type:
        case Simple(name=name):
            return "None" if name == "none" else name
        case ListType(item=item):
            return f"list[{describe(item)}]"
        case SetType(item=item):
            return f"set[{describe(item)}]"
        case DictType(key=key, value=value):
            return f"dict[{describe(key)}, {describe(value)}]"
        case TupleType(items=items):
            return f"tuple[{', '.join(map(describe, items)) or '()'}]"
        case UnionType(variants=variants):
            return " | ".join(map(describe, variants))
        case EnumType(name=name) | RecordType(name=name) | RecursionRef(name=name):
            return name
        case LiteralValues(values=values):
            return f"Literal[{', '.join(map(repr, values))}]"
        case FileType(format=format):
            return f"File[{format}]" if format else "File"
        case DirectoryType(format=format):
            return f"Directory[{format}]" if format else "Directory"
        case TableType(columns=columns):
            return f"Table[{', '.join(f'{c.name}: {describe(c.type)}' for c in columns)}]" if columns else "Table"
        case BlobType(format=format):
            return f"Blob[{format}]"
        case Hashed(item=item):
            return f"Hashed[{describe(item)}]"


def choices(type: LiteralType) -> tuple[str, ...]:
    """The values that a type has, as people type them, where they are few by their nature: members of an enumeration, literals.
    Empty of any other type."""
    match type:
        case EnumType(members=members, flag=False):
            return members
        case LiteralValues(values=values):
            return tuple(str(value) for value in values)
        case _:
            return ()
