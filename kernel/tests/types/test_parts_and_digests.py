"""A part of a value by its path; the hash of a value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.types import (
    Blob,
    File,
    HashWith,
    ValueMismatch,
    codec,
    compatible,
    convert,
    describe,
    digest,
    has_blobs,
    literal_type,
    pick,
    select,
)


@dataclass
class Point:
    x: int
    tags: dict[str, list[int]] = field(default_factory=dict)
    by_number: dict[int, str] = field(default_factory=dict)
    pair: tuple[int, str] = (0, "")
    parent: Point | None = None
    children: list[Point] = field(default_factory=list)


VALUE = Point(1, {"b": [10, 20]}, {7: "seven"}, (1, "z"), Point(2), [Point(3), Point(4, {"a": [5]})])
WIRE = codec(Point).encode(VALUE, None)
POINT = literal_type(Point)


@pytest.mark.parametrize(
    ("path", "type", "value"),
    [
        ((), "Point", WIRE),
        (("x",), "int", 1),
        (("tags", "b", 0), "int", 10),
        (("tags", "b", -1), "int", 20),
        (("by_number", 7), "str", "seven"),
        (("pair", 1), "str", "z"),
        (("pair", -2), "int", 1),
        (("children", 1, "tags", "a"), "list[int]", [5]),
        (("children", -1, "x"), "int", 4),
        (("children", 0, "children"), "list[Point]", []),
    ],
)
def test_a_path_leads_to_the_type_and_to_the_value(path, type, value):
    assert describe(select(POINT, path)) == type
    assert pick(WIRE, POINT, path) == value


def test_a_part_of_a_type_that_contains_itself_stands_alone():
    part = select(POINT, ("children", 0))
    assert part == POINT
    assert compatible(select(POINT, ("children",)), literal_type(list[Point])) is None
    assert compatible(select(POINT, ("parent",)), literal_type(Point | None)) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("z",), "Point has no field 'z'; its fields are: x, tags, by_number, pair, parent, children"),
        ((0,), "Point has no field 0"),
        (("x", "y"), "x: a value of int has no parts, so there is no 'y'"),
        (("children", "a"), "children: a list[Point] is indexed by int, not by 'a'"),
        (("pair", 2), "pair: tuple[int, str] has no item 2; it has 2"),
        (("tags", 5), "the keys of dict[str, list[int]] are str, and 5 is none"),
        (("parent", "x"), "parent: a value of Point | None may be None, which has no 'x'"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_there_is(path, message):
    with pytest.raises(ValueMismatch) as caught:
        select(POINT, path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("children", 5), "children: there is no item 5: the list has 2"),
        (("children", -3), "there is no item -3"),
        (("tags", "q"), "tags: there is no key 'q'; the keys are: 'b'"),
        (("by_number", 8), "there is no key 8; the keys are: 7"),
    ],
)
def test_a_value_that_is_not_there_says_what_there_is(path, message):
    with pytest.raises(ValueMismatch) as caught:
        pick(WIRE, POINT, path)
    assert message in str(caught.value)


def test_equal_values_have_equal_digests_for_ever():
    assert digest(codec(int).encode(5, None), literal_type(int)) == digest(5, literal_type(int))
    assert digest(5, literal_type(int)) == "sha256:ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d"
    assert digest(WIRE, POINT) == digest(codec(Point).encode(replace(VALUE), None), POINT)


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=3)), st.randoms())
def test_the_digest_of_a_set_does_not_depend_on_how_it_was_filled(value, random):
    items = list(value)
    random.shuffle(items)
    one = codec(set[str])
    assert digest(one.encode(value, None), one.type) == digest(one.encode(set(items), None), one.type)


def test_the_order_of_a_dict_is_part_of_its_digest():
    type = literal_type(dict[str, int])
    assert digest({"a": 1, "b": 2}, type) != digest({"b": 2, "a": 1}, type)


def test_a_float_that_came_as_an_int_and_a_record_without_its_defaults_count_the_same():
    assert digest([1, 2.5], literal_type(list[float])) == digest([1.0, 2.5], literal_type(list[float]))
    assert digest({"x": 1}, POINT) == digest(codec(Point).encode(Point(1), None), POINT)
    assert digest({"pair": [0, ""], "x": 1}, POINT) == digest({"x": 1}, POINT)


@pytest.mark.parametrize(("a", "b"), [(1, 2), (1, "1"), (1, True), (0, None), ("", None)])
def test_different_values_have_different_digests(a, b):
    hint = int | str | bool | None
    one = codec(hint)
    assert digest(one.encode(a, None), one.type) != digest(one.encode(b, None), one.type)


def test_content_counts_by_its_digest_alone():
    one = Blob("s3://here/a", "sha256:1", 5, "a.csv").wire()
    other = Blob("file:///there/b", "sha256:1", 5, "b.csv").wire()
    third = Blob("s3://here/a", "sha256:2", 5, "a.csv").wire()
    for hint, wrap in (
        (File, lambda w: w),
        (list[File], lambda w: [w]),
        (File | None, lambda w: w),
        (dict[int, File], lambda w: [[1, w]]),
    ):
        type = literal_type(hint)
        assert digest(wrap(one), type) == digest(wrap(other), type) != digest(wrap(third), type)


def test_a_value_with_the_authors_own_hash_counts_by_that_hash():
    hint = Annotated[str, HashWith(str.lower)]
    one = codec(hint)
    assert digest(one.encode("ABC", None), one.type) == digest(one.encode("abc", None), one.type)
    assert digest(one.encode("abd", None), one.type) != digest(one.encode("abc", None), one.type)
    assert one.decode(one.encode("ABC", None), None) == "ABC"
    assert pick(one.encode("ABC", None), one.type, ()) == {"h": "abc", "v": "ABC"}


@pytest.mark.parametrize(
    ("hint", "expected"),
    [(int, False), (Point, False), (File, True), (list[File | None], True), (dict[str, tuple[int, File]], True)],
)
def test_whether_a_type_has_content_stored_apart(hint, expected):
    assert has_blobs(literal_type(hint)) is expected


@dataclass
class Ping:
    pong: Pong


@dataclass
class Pong:
    n: int
    ping: Ping | None = None


@dataclass
class Around:
    ping: Ping
    points: dict[str, list[Point]]


def test_parts_of_records_that_contain_each_other_stand_alone():
    around = literal_type(Around)
    assert select(around, ("points", "a", 0)) == POINT
    pong = select(around, ("ping", "pong"))
    assert compatible(pong, literal_type(Pong)) is None
    assert compatible(literal_type(Pong), pong) is None
    value = Around(Ping(Pong(1, Ping(Pong(2)))), {})
    wire = pick(codec(Around).encode(value, None), around, ("ping", "pong"))
    assert codec(Pong).decode(convert(wire, pong, literal_type(Pong)), None) == value.ping.pong
