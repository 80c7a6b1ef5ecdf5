"""What may flow where, as one table; and that what flows arrives."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.types import (
    BlobType,
    Column,
    Directory,
    File,
    Format,
    HashWith,
    Simple,
    TableType,
    TupleType,
    codec,
    compatible,
    convert,
    literal_type,
    needs_conversion,
)


@dataclass
class Point:
    x: int
    y: float = 0.5


@dataclass
class SamePoint:
    y: float
    x: float


@dataclass
class Wide:
    x: int
    y: float = 0.5
    z: int = 0


@dataclass
class Strict:
    x: int
    y: float
    z: int


@dataclass
class Tree:
    x: int
    up: Tree | None = None
    down: list[Tree] = field(default_factory=list)


@dataclass
class FloatTree:
    x: float
    up: FloatTree | None = None
    down: list[FloatTree] = field(default_factory=list)


@dataclass
class TextTree:
    x: str
    up: TextTree | None = None
    down: list[TextTree] = field(default_factory=list)


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


class More(enum.Enum):
    FAST = 1
    EXACT = 2
    WILD = 3


Csv, Hdf = Annotated[File, Format("csv")], Annotated[File, Format("hdf")]
ID, NAME = Column("id", Simple("int")), Column("name", Simple("str"))

TABLE: list[tuple[Any, Any, str | None]] = [
    # from, to, the reason against it (None: may flow)
    (int, int, None),
    (int, float, None),
    (float, int, "float is not int"),
    (int, str, "int is not str"),
    (bool, int, "bool is not int"),
    (bytes, str, "bytes is not str"),
    (None, int, "None is not int"),
    (int, int | None, None),
    (None, int | None, None),
    (int | None, int, "int | None may be None, which is not int"),
    (int, int | str, None),
    (int, float | str, None),
    (int, int | float, None),
    (float, int | str, "float is not int | str"),
    (int | str, int | str | None, None),
    (int | str, int, "int | str may be str, which is not int"),
    (Literal["a"], str, None),
    (Literal["a"], Literal["a", "b"], None),
    (Literal["a", "c"], Literal["a", "b"], "'c' is not Literal['a', 'b']"),
    (str, Literal["a"], "str is not Literal['a']"),
    (Literal[1], float, None),
    (Literal[True], Literal[1], "True is not Literal[1]"),
    (list[int], list[int], None),
    (list[int], list[float], None),
    (list[int], list[int | None], None),
    (list[str], list[int], "item: str is not int"),
    (list[int], tuple[int, ...], None),
    (list[int], set[int], "list[int] is not set[int]"),
    (tuple[int, int], list[int], "tuple[int, int] is not list[int]"),
    (tuple[int, int], tuple[float, int], None),
    (tuple[int, int], tuple[int, int, int], "tuple[int, int] is not tuple[int, int, int]"),
    (TupleType(()), list[str], None),
    (dict[str, int], dict[str, float], None),
    (dict[str, int], dict[int, int], "key: str is not int"),
    (dict[str, str], dict[str, int], "value: str is not int"),
    (set[int], set[float], None),
    (Point, Point, None),
    (Point, SamePoint, None),
    (Point, Wide, None),
    (Point, Strict, "Point has no field 'z', which Strict needs"),
    (Wide, Point, "Point has no field 'z', which Wide has"),
    (SamePoint, Point, "field 'x' of SamePoint: float is not int"),
    (Point, dict[str, float], "Point is not dict[str, float]"),
    (list[Point], list[SamePoint], None),
    (Point, Point | Tree, None),
    (Tree, FloatTree, None),
    (FloatTree, Tree, "field 'x' of FloatTree: float is not int"),
    (TextTree, Tree, "field 'x' of TextTree: str is not int"),
    (Mode, Mode, None),
    (Mode, More, None),
    (More, Mode, "Mode has no member WILD, which More has"),
    (Mode, str, "Mode is not str"),
    (File, File, None),
    (File, Csv, None),
    (Csv, File, None),
    (Csv, Hdf, "File[csv] is not File[hdf]"),
    (File, Directory, "File is not Directory"),
    (TableType(), TableType((ID,)), None),
    (TableType((ID, NAME)), TableType((NAME,)), None),
    (TableType((ID,)), TableType((NAME,)), "there is no column 'name'; the columns are: id"),
    (TableType((ID,)), TableType((Column("id", Simple("str")),)), "column 'id': int is not str"),
    (TableType(), File, "Table is not File"),
    (BlobType("npy"), BlobType("npy"), None),
    (BlobType("npy"), BlobType("pickle"), "Blob[npy] is not Blob[pickle]"),
    (Annotated[int, HashWith(str)], int, None),
    (int, Annotated[float, HashWith(str)], None),
    (Annotated[str, HashWith(str)], int, "str is not int"),
]


def of(hint: Any) -> Any:
    return hint if hasattr(type(hint), "__struct_fields__") else literal_type(hint)


@pytest.mark.parametrize(("src", "dst", "reason"), TABLE, ids=lambda each: str(each)[:40])
def test_what_may_flow_where(src, dst, reason):
    assert compatible(of(src), of(dst)) == reason


FLOWS: list[tuple[Any, Any, Any, Any]] = [
    (int, float, 3, 3.0),
    (int, float, 2**70, float(2**70)),
    (int, int | str, 3, 3),
    (int, float | str, 3, 3.0),
    (str, int | str, "x", "x"),
    (int | None, int | str | None, None, None),
    (int | None, float | None, 3, 3.0),
    (None, int | str | None, None, None),
    (list[int], list[int | str], [1, 2], [1, 2]),
    (set[int], set[float], {10, 9}, {10.0, 9.0}),
    (dict[int, int], dict[float, int | None], {2: 1, 1: 2}, {2.0: 1, 1.0: 2}),
    (dict[str, int], dict[str | int, float], {"a": 1}, {"a": 1.0}),
    (tuple[int, int], tuple[float, int], (1, 2), (1.0, 2)),
    (Literal["a"], int | str, "a", "a"),
    (Literal[1], float, 1, 1.0),
    (Point, SamePoint, Point(1, 2.0), SamePoint(y=2.0, x=1.0)),
    (Point, Wide, Point(1, 2.0), Wide(1, 2.0, 0)),
    (Point, Point | Tree, Point(1), Point(1)),
    (Tree, FloatTree, Tree(1, Tree(2), [Tree(3)]), FloatTree(1.0, FloatTree(2.0), [FloatTree(3.0)])),
    (Annotated[int, HashWith(str)], float, 3, 3.0),
    (int, Annotated[int, HashWith(str)], 3, 3),
]


@pytest.mark.parametrize(("src", "dst", "value", "expected"), FLOWS, ids=lambda each: str(each)[:40])
def test_what_flows_arrives_as_the_other_type(src, dst, value, expected):
    wire = convert(codec(src).encode(value, None), literal_type(src), literal_type(dst))
    arrived = codec(dst).decode(wire, None)
    assert arrived == expected
    assert type(arrived) is type(expected)
    assert codec(dst).encode(arrived, None) == wire or isinstance(wire, dict)


@pytest.mark.parametrize(("src", "dst", "value", "expected"), FLOWS, ids=lambda each: str(each)[:40])
def test_conversion_is_said_to_be_needed_wherever_the_wire_differs(src, dst, value, expected):
    wire = codec(src).encode(value, None)
    if not needs_conversion(literal_type(src), literal_type(dst)):
        assert codec(dst).encode(expected, None) == wire


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        (int, int),
        (int, int | None),
        (list[Point], list[Point]),
        (Tree, Tree),
        (Mode, More),
        (Literal["a"], str),
        (Csv, File),
    ],
)
def test_no_conversion_where_the_wire_is_the_same(src, dst):
    assert not needs_conversion(literal_type(src), literal_type(dst))


@given(
    st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=8).filter(
        lambda v: isinstance(v, list)
    )
)
def test_a_type_flows_into_itself_unchanged(value):
    @dataclass
    class Nested:
        items: list[Nested] = field(default_factory=list)

    def build(items: Any) -> Nested:
        return Nested([build(each) for each in items if isinstance(each, list)])

    wire = codec(Nested).encode(build(value), None)
    assert convert(wire, literal_type(Nested), literal_type(Nested)) is wire
