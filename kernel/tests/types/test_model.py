"""The literal type as data: a schema, canonical bytes, and the law of this room."""

from __future__ import annotations

import enum
import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec
import pytest

import wingbeat.types
from wingbeat.types import (
    LiteralType,
    RecordField,
    RecordType,
    RecursionRef,
    Simple,
    UnionType,
    choices,
    describe,
    literal_type,
)
from wingbeat.types.text import describe as same_describe

ROOM = Path(wingbeat.types.__file__).parent


class Interface(msgspec.Struct):
    type: LiteralType
    more: tuple[LiteralType, ...] = ()


TREE = RecordType(
    "Tree",
    (RecordField("x", Simple("int")), RecordField("up", UnionType((RecursionRef("Tree"), Simple("none"))), None)),
)


def test_a_literal_type_is_a_field_of_other_structs_and_comes_back_from_its_bytes():
    whole = Interface(TREE, (literal_type(dict[int, set[str] | None]), literal_type(list[tuple[float, ...]])))
    for codec in (msgspec.json, msgspec.msgpack):
        again = codec.decode(codec.encode(whole), type=Interface)
        assert again == whole
        assert hash(again.type) == hash(TREE)


def test_a_json_schema_can_be_made():
    schema = msgspec.json.schema(Interface)
    tags = {
        each["properties"]["type"]["enum"][0]
        for each in schema["$defs"].values()
        if "type" in each.get("properties", {}) and "enum" in each["properties"]["type"]
    }
    assert tags >= {
        "simple",
        "list",
        "tuple",
        "set",
        "dict",
        "union",
        "enum",
        "literal",
        "record",
        "ref",
        "file",
        "directory",
        "table",
        "blob",
        "hashed",
    }


def test_a_default_that_is_none_is_not_the_same_as_no_default():
    assert TREE.fields[0].required
    assert not TREE.fields[1].required
    again = msgspec.json.decode(msgspec.json.encode(TREE), type=LiteralType)
    assert again.fields[1].default is None


def test_types_that_differ_only_in_the_type_of_a_value_are_different():
    assert RecordField("x", Simple("int"), 1) != RecordField("x", Simple("int"), True)
    assert RecordField("x", Simple("int"), 1) == RecordField("x", Simple("int"), 1)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (list[int], "list[int]"),
        (int | None, "int | None"),
        (dict[str, set[bytes]], "dict[str, set[bytes]]"),
        (tuple[int, str], "tuple[int, str]"),
        (tuple[()], "tuple[()]"),
        (wingbeat.types.File, "File"),
        (None, "None"),
    ],
)
def test_a_type_reads_like_python(hint, text):
    assert describe(literal_type(hint)) == same_describe(literal_type(hint)) == text


def test_importing_the_room_brings_nothing_that_touches_the_world():
    code = (
        "import sys, msgspec, datetime, importlib, typing, enum, re\n"
        "before = set(sys.modules)\n"
        "import wingbeat.types\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = {name for name in done.stdout.split() if not name.startswith("wingbeat")}
    assert not new & {
        "asyncio",
        "socket",
        "subprocess",
        "tempfile",
        "logging",
        "random",
        "uuid",
        "inspect",
        "zoneinfo",
        "hashlib",
    }


def test_the_room_says_nowhere_that_it_opens_or_waits():
    import ast

    forbidden = {
        "asyncio",
        "anyio",
        "socket",
        "threading",
        "subprocess",
        "time",
        "random",
        "secrets",
        "uuid",
        "logging",
    }
    forbidden |= {"structlog", "pluggy", "os", "io", "pathlib", "shutil", "tempfile"}
    for file in ROOM.glob("*.py"):
        tree = ast.parse(file.read_text())
        typing_only = {
            id(node)
            for test in ast.walk(tree)
            if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.dump(test.test)
            for node in ast.walk(test)
        }
        for node in ast.walk(tree):
            if id(node) in typing_only:
                continue
            if isinstance(node, ast.Import):
                assert not {alias.name.partition(".")[0] for alias in node.names} & forbidden, file.name
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in forbidden, file.name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", file.name


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@pytest.mark.parametrize(
    ("hint", "texts"),
    [(Colour, ("RED", "BLUE")), (Literal["a", 1, True], ("a", "1", "True")), (Access, ()), (bool, ()), (str, ())],
)
def test_a_type_with_few_values_by_its_nature_names_them(hint, texts):
    assert choices(literal_type(hint)) == texts
