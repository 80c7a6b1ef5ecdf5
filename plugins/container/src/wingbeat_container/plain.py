"""Values as programs in any language read and write them: plain JSON, and paths for files and folders. Pure."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec

from wingbeat.types import (
    BlobType,
    Directory,
    DirectoryType,
    EnumType,
    File,
    FileType,
    LiteralType,
    LiteralValues,
    Simple,
    TableType,
    UnionType,
    ValueMismatch,
    check_depth,
)
from wingbeat.types.times import format_datetime, format_timedelta

Place = Callable[[File | Directory], str]


def plain(value: Any, place: Place) -> Any:
    """The JSON of a value that `decode_generic` made; `place` says where a file or folder is."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return format_datetime(value)
        case date():
            return value.isoformat()
        case timedelta():
            return format_timedelta(value)
        case File() | Directory():
            return place(value)
        case SimpleNamespace():
            return {name: plain(each, place) for name, each in vars(value).items()}
        case dict():
            if all(isinstance(key, str) for key in value):
                return {key: plain(each, place) for key, each in value.items()}
            return [[plain(key, place), plain(each, place)] for key, each in value.items()]
        case _:
            return [plain(each, place) for each in value]


def text(value: Any) -> bytes:
    """What stands in the file of an input, of its plain form: texts and numbers as they are, structures as JSON."""
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def is_path(type_: LiteralType) -> bool:
    """Whether an output of this type is a file or folder itself."""
    return isinstance(_some(type_), FileType | DirectoryType | TableType | BlobType)


def parsed(data: bytes, type_: LiteralType) -> Any:
    """What the file of an output says, as `encode_generic` takes it. Raises `ValueMismatch`."""
    some = _some(type_)
    if some == Simple("bytes"):
        return base64.b64encode(data).decode()
    try:
        said = data.decode()
    except UnicodeDecodeError as error:
        raise ValueMismatch(f"expected text, found bytes that are none ({error})") from None
    if _is_text(some):
        return said.removesuffix("\n")
    said = said.strip()
    try:
        if some == Simple("float"):
            return float(said)  # also as awk and C print them
        check_depth(data)
        return msgspec.json.decode(said)
    except ValueError:
        return said  # the type says what is wrong with it


def optional(type_: LiteralType) -> bool:
    """Whether it may be None."""
    return type_ == Simple("none") or (isinstance(type_, UnionType) and Simple("none") in type_.variants)


def _some(type_: LiteralType) -> LiteralType:
    """What it is where it is not None."""
    if isinstance(type_, UnionType):
        others = [each for each in type_.variants if each != Simple("none")]
        return others[0] if len(others) == 1 else type_
    return type_


def _is_text(type_: LiteralType) -> bool:
    match type_:
        case Simple(name=name):
            return name in ("str", "datetime", "date", "timedelta")
        case EnumType():
            return True
        case LiteralValues(values=values):
            return all(isinstance(value, str) for value in values)
        case _:
            return False
