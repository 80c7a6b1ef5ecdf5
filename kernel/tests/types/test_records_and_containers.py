"""What is made of other values: containers, unions and records."""

from __future__ import annotations

import collections
import enum
import sys
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timedelta
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.types import LimitExceeded, UnsupportedType, ValueMismatch, annotation_doc, codec, describe, literal_type

T = TypeVar("T")
UserId = NewType("UserId", int)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


@dataclass
class Point:
    x: int
    y: float = 0.5
    tags: dict[str, list[int]] = field(default_factory=dict)
    parent: Point | None = None


@dataclass(frozen=True)
class Key:
    a: int
    b: str


@dataclass(slots=True, kw_only=True)
class Slotted:
    a: int
    b: list[str]


@dataclass
class Box(Generic[T]):
    item: T
    more: list[T] = field(default_factory=list)


@dataclass
class IntBox(Box[int]):
    note: str = ""


class Person(msgspec.Struct, rename="camel"):
    full_name: str
    age: int = 1


class Row(NamedTuple):
    id: int
    name: str = "none"


class Options(TypedDict):
    depth: int
    fast: NotRequired[bool]


def exact(a: Any, b: Any) -> bool:
    """Equal, with equal types all the way down."""
    if type(a) is not type(b) or a != b:
        return False
    if isinstance(a, dict):
        return all(exact(x, y) for x, y in zip(a.items(), b.items(), strict=True))
    if isinstance(a, list | tuple):
        return all(map(exact, a, b))
    return True


points = st.deferred(
    lambda: st.builds(
        Point,
        st.integers(),
        st.floats(allow_nan=False),
        st.dictionaries(TEXT, st.lists(st.integers(), max_size=2), max_size=2),
        st.none() | points,
    )
)
CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (list[int], st.lists(st.integers())),
    (list[list[float]], st.lists(st.lists(st.floats(allow_nan=False)))),
    (tuple[int, str, None], st.tuples(st.integers(), TEXT, st.none())),
    (tuple[int, ...], st.lists(st.integers()).map(tuple)),
    (tuple[()], st.just(())),
    (set[str], st.sets(TEXT)),
    (frozenset[date], st.frozensets(st.dates())),
    (set[tuple[int, bool]], st.sets(st.tuples(st.integers(), st.booleans()))),
    (set[frozenset[int]], st.sets(st.frozensets(st.integers(), max_size=3), max_size=3)),
    (dict[str, int], st.dictionaries(TEXT, st.integers())),
    (dict[int, str], st.dictionaries(st.integers(), TEXT)),
    (dict[float, bytes], st.dictionaries(st.floats(allow_nan=False), st.binary())),
    (dict[bool, int], st.dictionaries(st.booleans(), st.integers())),
    (dict[date, timedelta], st.dictionaries(st.dates(), st.timedeltas())),
    (dict[Mode, int], st.dictionaries(st.sampled_from(Mode), st.integers())),
    (dict[tuple[int, str], int], st.dictionaries(st.tuples(st.integers(), TEXT), st.integers())),
    (dict[Key, int], st.dictionaries(st.builds(Key, st.integers(), TEXT), st.integers())),
    (dict[int | str, int], st.dictionaries(st.integers() | TEXT, st.integers())),
    (int | None, st.none() | st.integers()),
    (Optional[list[int | None]], st.none() | st.lists(st.none() | st.integers())),
    (int | str, st.integers() | TEXT),
    (int | float | str | None, st.integers() | st.floats(allow_nan=False) | TEXT | st.none()),
    (Union[bool, int, date, datetime], st.booleans() | st.integers() | st.dates() | st.datetimes()),
    (list[int] | list[str], st.lists(st.integers(), min_size=1) | st.lists(TEXT, min_size=1)),
    (list[float] | list[int], st.lists(st.integers(), min_size=1) | st.lists(st.floats(allow_nan=False), min_size=1)),
    (Literal["a", 1] | bytes, st.sampled_from(["a", 1]) | st.binary()),
    (Literal[None, "a"] | None, st.sampled_from([None, "a"])),
    (Point, points),
    (Point | Key | Row, points | st.builds(Key, st.integers(), TEXT) | st.builds(Row, st.integers(), TEXT)),
    (Slotted, st.builds(Slotted, a=st.integers(), b=st.lists(TEXT))),
    (Box[int], st.builds(Box, st.integers(), st.lists(st.integers()))),
    (Box[list[str]], st.builds(Box, st.lists(TEXT))),
    (IntBox, st.builds(IntBox, st.integers(), st.lists(st.integers()), TEXT)),
    (Person, st.builds(Person, TEXT, st.integers())),
    (Row, st.builds(Row, st.integers(), TEXT)),
    (Options, st.sampled_from([{"depth": 1}, {"depth": 2, "fast": True}])),
    (UserId, st.integers()),
    (Annotated[int, "a note"], st.integers()),
    (
        dict[str, list[tuple[Point, Mode] | None]],
        st.dictionaries(TEXT, st.lists(st.none() | st.tuples(points, st.sampled_from(Mode)), max_size=2), max_size=2),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0]))
def test_a_value_comes_back_equal_and_of_the_same_types(through, case):
    hint, values = case

    @given(values)
    def check(value):
        assert exact(through(hint, value), value)

    check()


def test_the_order_of_a_dict_is_kept_and_that_of_a_set_is_canonical():
    assert list(codec(dict[str, int]).encode({"b": 1, "a": 2}, None)) == ["b", "a"]
    assert codec(dict[int, int]).encode({2: 1, 1: 2}, None) == [[2, 1], [1, 2]]
    assert codec(set[int]).encode({3, 1, 2}, None) == [1, 2, 3]


def test_a_union_does_not_depend_on_the_order_in_which_python_happens_to_keep_it():
    assert literal_type(str | int) == literal_type(Union[int, str]) == literal_type(int | (str | int))
    assert describe(literal_type(None | str)) == "str | None"


def test_one_type_or_none_is_written_plain_and_other_unions_with_their_variant():
    assert codec(int | None).encode(5, None) == 5
    assert codec(int | str).encode("x", None) == {"k": 1, "v": "x"}


def test_a_record_may_contain_itself_wherever_it_is_defined(through):
    @dataclass
    class Tree:
        leaf: int
        mode: LocalMode
        children: list[Tree] = field(default_factory=list)

    class LocalMode(enum.Enum):
        ON = 1

    value = Tree(1, LocalMode.ON, [Tree(2, LocalMode.ON), Tree(3, LocalMode.ON, [Tree(4, LocalMode.ON)])])
    assert through(Tree, value) == value
    assert describe(literal_type(Tree)) == "Tree"


def test_records_may_contain_each_other(through):
    value = Ping(Pong(Ping(None)))
    assert through(Ping, value) == value
    assert through(list[Pong], [Pong(Ping(None))]) == [Pong(Ping(None))]


@dataclass
class Ping:
    pong: Pong | None


@dataclass
class Pong:
    ping: Ping | None


def test_a_value_that_is_deeper_than_the_limit_or_contains_itself_is_refused_before_it_is_stored():
    deep = None
    for _ in range(100_000):
        deep = Ping(Pong(deep))
    with pytest.raises(LimitExceeded, match="nested deeper than 64 levels"):
        codec(Ping).encode(deep, None)
    while deep is not None:  # freed level by level: a recursive destructor would exhaust the C stack
        deep = deep.pong.ping
    endless = Ping(None)
    endless.pong = Pong(endless)
    with pytest.raises(LimitExceeded):
        codec(Ping).encode(endless, None)


def test_missing_fields_take_their_defaults_and_unknown_ones_are_refused():
    assert codec(Point).decode({"x": 1}, None) == Point(1)
    with pytest.raises(ValueMismatch, match=r"Point has no field 'z'; its fields are: x, y, tags, parent"):
        codec(Point).decode({"x": 1, "z": 2}, None)
    with pytest.raises(ValueMismatch, match="Point needs a value for its field 'x'"):
        codec(Point).decode({"y": 1.0}, None)


def test_default_lists_and_dicts_are_fresh_for_every_record():
    first, second = codec(Point).decode({"x": 1}, None), codec(Point).decode({"x": 1}, None)
    first.tags["a"] = [1]
    assert second.tags == {}


def test_a_record_is_restored_and_not_made_a_second_time(through):
    @dataclass
    class Doubled:
        x: int
        twice: int = field(init=False)

        def __post_init__(self) -> None:
            self.x *= 2
            self.twice = self.x * 2

    value = Doubled(1)
    assert (value.x, value.twice) == (2, 4)
    assert through(Doubled, value) == value


def test_the_checks_of_the_author_run_when_a_record_comes_in():
    @dataclass
    class Positive:
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("x must not be negative")

    assert codec(Positive).decode({"x": 1}, None) == Positive(1)
    with pytest.raises(ValueMismatch, match="Positive refuses its fields: x must not be negative"):
        codec(Positive).decode({"x": -1}, None)


def test_a_dataclass_with_a_constructor_of_its_own_is_restored_by_its_fields(through):
    @dataclass
    class Own:
        x: int

        def __init__(self, text: str) -> None:
            self.x = int(text)

    @dataclass
    class Init:
        x: int
        seed: InitVar[int] = 0

        def __post_init__(self, seed: int) -> None:
            self.x += seed

    assert through(Own, Own("5")) == Own("5")
    assert through(Init, Init(1, 5)) == Init(6)


def test_pydantic_models_are_records_too(through):
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        when: datetime

    class Model(pydantic.BaseModel):
        id: int = pydantic.Field(alias="ID", gt=0)
        inner: list[Inner] = []
        level: Literal["low", "high"] = "low"

    value = Model(ID=5, inner=[Inner(when=datetime(2026, 1, 1))])
    back = through(Model, value)
    assert (type(back), back) == (Model, value)
    with pytest.raises(ValueMismatch, match="refuses its fields"):
        codec(Model).decode({"id": -1}, None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements are new in Python 3.12")
def test_type_statements_are_what_they_stand_for(through):
    space: dict[str, Any] = {}
    exec("type Pair[T] = tuple[T, T]\ntype Ids = list[int] | None\ntype Json = list[Json] | int", space)
    assert through(space["Ids"], [1]) == [1]
    assert through(space["Pair"][int], (1, 2)) == (1, 2)
    assert describe(literal_type(space["Ids"] | str)) == "list[int] | str | None"
    with pytest.raises(UnsupportedType, match="contains itself: make it a dataclass"):
        codec(space["Json"])


def test_the_doc_is_the_first_string_of_annotated():
    assert annotation_doc(Annotated[int, 5, "a note", "another"]) == "a note"
    assert annotation_doc(int) == ""


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Point, Point(1, parent=Point("a")), "v.parent.x: expected int, got str 'a'"),
        (list[Point], [Point(1), 5], "v[1]: expected Point, got int 5"),
        (dict[str, list[int]], {"k": [1, "b"]}, "v['k'][1]: expected int, got str 'b'"),
        (dict[int, int], {"k": 1}, "v['k']: expected int, got str 'k'"),
        (tuple[int, str], (1, 2), "v[1]: expected str, got int 2"),
        (tuple[int, str], (1,), "v: expected tuple[int, str], got tuple (1,)"),
        (list[int], (1,), "v: expected list[int], got tuple (1,)"),
        (set[int], [1], "v: expected set[int], got list [1]"),
        (set[int], {"a"}, "v{…}: expected int, got str 'a'"),
        (int | None, "a", "v: expected int, got str 'a'"),
        (int | str, 1.5, "v: expected int | str, got float 1.5"),
        (Point | int, Point("a"), "v.x: expected int, got str 'a'"),
        (Row, (1, "a"), "v: expected Row, got tuple (1, 'a')"),
        (Options, {"fast": True}, "v: Options needs a value for its field 'depth'"),
        (Options, {"depth": 1, "deep": 2}, "v: Options has no field 'deep'; its fields are: depth, fast"),
        (
            Box[int],
            IntBox(1),
            "expected Box[int], got IntBox IntBox(item=1, more=[], note=''): a subclass, whose own fields would be lost",
        ),
        (Point, "x" * 500, "xxx…"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(hint, value, message):
    with pytest.raises(ValueMismatch) as caught:
        codec(hint).encode(value, None)
    assert message in str(caught.value.named("v"))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("hint", "wire", "message"),
    [
        (Point, {"x": 1, "tags": {"a": [1, None]}}, "v.tags['a'][1]: expected int, got None"),
        (set[int], [1, 1], "the same item twice"),
        (dict[int, int], [[1, 2], [1, 3]], "the same key twice"),
        (dict[int, int], [[1, 2, 3]], "a pair of key and value"),
        (dict[int, int], {"1": 2}, "expected dict[int, int], got dict"),
        (int | str, 5, "{k: variant, v: value}"),
        (int | str, {"k": 7, "v": 5}, "got variant 7 of 2"),
        (int | str, {"k": -1, "v": 5}, "got variant -1 of 2"),
        (int | str, {"k": True, "v": 5}, "{k: variant, v: value}"),
        (tuple[int, int], [1], "expected tuple[int, int]"),
    ],
)
def test_a_wrong_wire_value_is_named_by_its_place(hint, wire, message):
    with pytest.raises(ValueMismatch) as caught:
        codec(hint).decode(wire, None)
    assert message in str(caught.value.named("v"))


@dataclass
class Holder:
    points: list[Inside]


@dataclass
class Inside:
    anything: dict[str, Any]


@dataclass
class Lost:
    x: Nowhere  # noqa: F821


@dataclass
class Wrong:
    x: int = "a"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (Any, "Any is not supported: a value needs a type of its own; write the type of what is inside"),
        (object, "object is not supported"),
        (list, "list without a type inside is not supported: write the type of what is inside, such as list[int]"),
        (dict, "dict without a type inside"),
        (list[Any], "Any is not supported"),
        (T, "stands for nothing here"),
        (Box, "stands for nothing here"),
        (collections.OrderedDict, "Annotated[OrderedDict, Pickle]"),
        (collections.abc.Sequence[int], "write list[…]"),
        (set[list[int]], "list[int] is not hashable"),
        (dict[Point, int], "Point is not hashable"),
        (Holder, "Holder.points.anything: Any is not supported"),
        (Lost, "the name 'Nowhere' in Lost is not known at run time"),
        (Wrong, "Wrong.x: the default does not fit: expected int, got str 'a'"),
        (5, "int 5 is not a type"),
        (collections.namedtuple("Old", "a b"), "Old.a has no type"),
    ],
)
def test_a_type_that_is_none_is_refused_with_what_to_write_instead(hint, message):
    with pytest.raises(UnsupportedType) as caught:
        codec(hint)
    assert message in str(caught.value)


def test_a_path_is_refused_in_favour_of_files():
    from pathlib import Path

    with pytest.raises(UnsupportedType, match="use wingbeat.File or Directory"):
        codec(Path)


def test_a_type_that_would_explode_as_a_document_is_refused_in_time():
    last: Any = int
    for level in range(30):
        namespace = {"__annotations__": {"a": last, "b": last}}
        last = dataclass(type(f"Level{level}", (), namespace))
    with pytest.raises(UnsupportedType, match="more than 10000 parts"):
        codec(last)
    deep: Any = int
    for _ in range(60):
        deep = list[deep]
    with pytest.raises(UnsupportedType, match="nests too deep"):
        codec(deep)


def test_equal_hints_share_one_codec():
    assert codec(list[Point]) is codec(list[Point])
    assert codec(Point) is not codec(Box[int])
