"""Values on the command line: text to the plain data that a launch takes, and types and defaults as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wingbeat.spec.entities import Variable
from wingbeat.types.model import (
    BlobType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    LiteralType,
    LiteralValues,
    RecordType,
    Simple,
    TableType,
    UnionType,
)
from wingbeat.types.text import describe

if TYPE_CHECKING:
    from pathlib import Path

NULL = "null"
"""How None is written for an input that may be None."""

_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse(text: str, kind: LiteralType) -> Any:
    """The plain value that a text stands for. Raises `ValueError` that says what was expected."""
    inner, optional = unwrapped(kind)
    if not optional:
        return _parsed(text, inner)
    try:
        return None if text == NULL else _parsed(text, inner)
    except ValueError as error:
        raise ValueError(f"{error}; or {NULL}, for None") from None


def _parsed(text: str, inner: LiteralType) -> Any:
    match inner:
        case Simple(name=name):
            return _SIMPLE[name](text)
        case EnumType():
            return _member(text, inner)
        case LiteralValues():
            return _literal(text, inner)
        case FileType() | DirectoryType() | TableType() | BlobType():
            return _path(text, inner)
        case UnionType():
            return _union(text, inner)
        case _:
            return _json(text, inner)


def unwrapped(kind: LiteralType) -> tuple[LiteralType, bool]:
    """The type below hashes and `| None`, and whether None is allowed."""
    if isinstance(kind, Hashed):
        return unwrapped(kind.item)
    if isinstance(kind, UnionType):
        others = tuple(v for v in kind.variants if v != Simple("none"))
        if len(others) < len(kind.variants):
            return unwrapped(others[0])[0] if len(others) == 1 else UnionType(others), True
    return kind, False


def is_bool(kind: LiteralType) -> bool:
    """Whether the input is a flag."""
    return unwrapped(kind)[0] == Simple("bool")


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected int, got {text!r}") from None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected float, got {text!r}") from None


def _bool(text: str) -> bool:
    if text.lower() not in _BOOLS:
        raise ValueError(f"expected true or false, got {text!r}")
    return _BOOLS[text.lower()]


def _none(text: str) -> None:
    if text != NULL:
        raise ValueError(f"expected {NULL}, got {text!r}")


def _bytes(text: str) -> str:
    """Base64, or ``@PATH``: the content of a file."""
    import base64
    import binascii
    from pathlib import Path

    if text.startswith("@"):
        return base64.b64encode(_read(Path(text[1:]))).decode()
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected bytes as base64, or @PATH for the content of a file") from None
    return text


def _read(path: Any) -> bytes:
    try:
        content: bytes = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    return content


def _date(text: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"expected a date as 2026-10-25, got {text!r}") from None


def _datetime(text: str) -> str:
    from wingbeat.types.errors import ValueMismatch
    from wingbeat.types.times import parse_datetime

    try:
        # A date alone is its first moment; the zone in brackets is known to the parser of wire values.
        parse_datetime(f"{text}T00:00:00" if len(text) == 10 else text)
    except (ValueMismatch, ValueError) as error:
        raise ValueError(str(error)) from None
    return text


def _timedelta(text: str) -> str | float:
    from wingbeat.base.units import parse_duration_s

    if text.lstrip("-").startswith("P"):
        return text
    sign = -1 if text.startswith("-") else 1
    try:
        return sign * parse_duration_s(text.removeprefix("-"))
    except ValueError:
        raise ValueError(f"expected a duration as 90s or 1h30m, got {text!r}") from None


_SIMPLE: dict[str, Callable[[str], Any]] = {
    "none": _none,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": str,
    "bytes": _bytes,
    "date": _date,
    "datetime": _datetime,
    "timedelta": _timedelta,
}


def _member(text: str, kind: EnumType) -> str:
    by_fold = {name.casefold(): name for name in kind.members}
    parts = text.split("|") if kind.flag else [text]
    try:
        return "|".join(part if part in kind.members else by_fold[part.casefold()] for part in parts)
    except KeyError:
        raise ValueError(f"expected one of {', '.join(kind.members)}, got {text!r}") from None


def _literal(text: str, kind: LiteralValues) -> Any:
    for value in kind.values:
        if text == (value if isinstance(value, str) else json.dumps(value)):
            return value
    raise ValueError(f"expected one of {', '.join(_shown(v) for v in kind.values)}, got {text!r}")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _path(text: str, kind: LiteralType) -> str:
    """An absolute path that is there: another process may read it, from another folder."""
    from pathlib import Path

    if "://" in text:
        return text
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"there is nothing at {text}")
    if isinstance(kind, FileType) and path.is_dir():
        raise ValueError(f"expected a file, but {text} is a directory")
    if isinstance(kind, DirectoryType) and not path.is_dir():
        raise ValueError(f"expected a directory, but {text} is a file")
    if not path.is_dir() and not path.is_file():  # it would never end, or is no content
        raise ValueError(f"expected a file, but {text} is {_special(path)}")
    return str(path)


def _special(path: Path) -> str:
    kinds = {"a pipe": path.is_fifo(), "a socket": path.is_socket()}
    return next((name for name, fits in kinds.items() if fits), "a device")


def _json(text: str, kind: LiteralType) -> Any:
    """JSON, or ``@PATH``: the JSON in a file."""
    from pathlib import Path

    source = _read(Path(text[1:])).decode(errors="replace") if text.startswith("@") else text
    try:
        return json.loads(source)
    except ValueError as error:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise ValueError(f"expected {describe(kind)} as JSON, got {shown!r} ({error})") from None


def _union(text: str, kind: UnionType) -> Any:
    """JSON where it is JSON; any other text is the text itself, for the variants that are written so."""
    try:
        return json.loads(text)
    except ValueError:
        plain = (EnumType, LiteralValues, FileType, DirectoryType)
        if any(isinstance(v, plain) or (isinstance(v, Simple) and v.name in _TEXTUAL) for v in kind.variants):
            return text
        return _json(text, kind)


_TEXTUAL = ("str", "bytes", "date", "datetime", "timedelta")
_METAVARS = {"none": NULL, "bytes": "BASE64|@FILE", "datetime": "DATETIME", "date": "DATE", "timedelta": "DURATION"}


def metavar(kind: LiteralType) -> str:
    """What stands behind the option in the help."""
    inner, optional = unwrapped(kind)
    match inner:
        case Simple(name=name):
            text = _METAVARS.get(name, name.upper())
        case EnumType(members=members) if len("|".join(members)) <= 40:
            text = f"[{'|'.join(members)}]"
        case LiteralValues(values=values) if len("|".join(map(_shown, values))) <= 40:
            text = f"[{'|'.join(map(_shown, values))}]"
        case EnumType() | LiteralValues():
            text = "CHOICE"
        case FileType():
            text = "FILE"
        case DirectoryType():
            text = "DIRECTORY"
        case TableType() | BlobType():
            text = "PATH"
        case _:
            text = "JSON|@FILE"
    return f"{text}|{NULL}" if optional and not text.startswith("[") else text


def summary(kind: LiteralType) -> str:
    """What the metavar leaves open: the type as its author wrote it, fields of a record, names of a long choice."""
    inner, _ = unwrapped(kind)
    match inner:
        case Simple() | FileType(format="") | DirectoryType(format=""):
            return ""
        case EnumType() | LiteralValues() if metavar(kind) != "CHOICE":
            return ""
        case RecordType(name=name, fields=fields):
            inside = ", ".join(f"{f.name}: {describe(f.type)}" + ("" if f.required else " = …") for f in fields)
            return f"{name} {{{inside}}}"
        case EnumType(name=name, members=members):
            return f"{name}: {' | '.join(members)}"
        case _:
            return describe(kind)


def default_text(variable: Variable) -> str:
    """The default of an input, as it would be written on the command line."""
    return plain_text(variable.default, variable.type)


def plain_text(wire: Any, kind: LiteralType) -> str:
    """A wire value as it would be written on the command line."""
    while True:
        if isinstance(kind, Hashed):
            wire, kind = wire["v"], kind.item
        elif isinstance(kind, UnionType) and isinstance(wire, dict) and wire.keys() == {"k", "v"}:
            wire, kind = wire["v"], kind.variants[wire["k"]]
        else:
            break
    if isinstance(wire, str):
        return wire or "''"
    return json.dumps(wire, ensure_ascii=False)
