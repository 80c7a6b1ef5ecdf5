"""Values without the author's classes: for people who look, and from what people write."""

from __future__ import annotations

import contextlib
import enum
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.types import (
    Directory,
    File,
    HashWith,
    LimitExceeded,
    ValueMismatch,
    codec,
    decode_generic,
    encode_generic,
    literal_type,
)


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


@dataclass
class Point:
    x: int
    y: float = 0.5
    parent: Point | None = None
    many: list[Point] = field(default_factory=list)
    made: list[int] = field(default_factory=lambda: [1])


PLAIN: list[tuple[Any, Any, Any]] = [
    # type, what a person writes, the value it means
    (int, 5, 5),
    (int, 2**70, 2**70),
    (float, 3, 3.0),
    (float, "nan", "nan"),
    (list[float], ["inf", "-inf", float("inf")], [math.inf, -math.inf, math.inf]),
    (dict[str, float], {"a": "inf"}, {"a": math.inf}),
    (Point, {"x": 1, "y": "-inf"}, Point(1, -math.inf)),
    (bytes, "AP8=", b"\x00\xff"),
    (datetime, "2026-03-29T01:30:00Z", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    (datetime, "2026-03-29", datetime(2026, 3, 29)),
    (datetime, "2026-03-29 01:30", datetime(2026, 3, 29, 1, 30)),
    (date, "2026-03-29", date(2026, 3, 29)),
    (timedelta, "PT1H30M", timedelta(hours=1.5)),
    (timedelta, "P1W", timedelta(weeks=1)),
    (timedelta, 90, timedelta(seconds=90)),
    (timedelta, 0.5, timedelta(seconds=0.5)),
    (Mode, "FAST", Mode.FAST),
    (Literal["a", 1], 1, 1),
    (list[float], [1, 2], [1.0, 2.0]),
    (set[int], [3, 1, 1], {1, 3}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, str], {"2": "b", "1": "a"}, {2: "b", 1: "a"}),
    (dict[int, str], [[2, "b"]], {2: "b"}),
    (dict[date, int], {"2026-01-01": 1}, {date(2026, 1, 1): 1}),
    (dict[Mode, bool], {"FAST": True}, {Mode.FAST: True}),
    (dict[bool, int], {"true": 1}, {True: 1}),
    (int | None, None, None),
    (int | str, "5", "5"),
    (int | str, 5, 5),
    (int | float, 5, 5),
    (int | float, 5.0, 5.0),
    (date | str, "2026-01-01", date(2026, 1, 1)),
    (date | str, "tomorrow", "tomorrow"),
    (Point | str, {"x": 1}, Point(1)),
    (Point, {"x": 1, "parent": {"x": 2}}, Point(1, parent=Point(2))),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2.0)]),
    (Annotated[int, HashWith(str)], 5, 5),
]


@pytest.mark.parametrize(("hint", "plain", "meant"), PLAIN, ids=lambda each: str(each)[:40])
def test_what_a_person_writes_becomes_the_value_that_is_meant(hint, plain, meant):
    wire = encode_generic(plain, literal_type(hint), None)
    value = codec(hint).decode(wire, None)
    assert value == meant or (meant == "nan" and math.isnan(value))
    assert type(value) is type(meant) or meant == "nan"


@pytest.mark.parametrize("hint", [list[float], dict[str, float], Point])
def test_what_is_shown_of_numbers_that_are_not_finite_is_json_and_taken_again(hint):
    numbers = [math.nan, math.inf, -math.inf]
    value = {list: numbers, dict: dict(zip("abc", numbers, strict=True))}.get(
        getattr(hint, "__origin__", hint), Point(1, math.nan)
    )
    made = codec(hint)
    text = json.dumps(made.encode(value, None), allow_nan=False)
    assert str(made.decode(encode_generic(json.loads(text), made.type, None), None)) == str(value)


@pytest.mark.parametrize(
    ("hint", "plain", "message"),
    [
        (int, "5", "v: expected int, got str '5'"),
        (int, 5.0, "v: expected int, got float 5.0"),
        (Point, "p", "v: expected Point, got str 'p'"),
        (Point, {"x": 1, "parent": {"x": "a"}}, "v.parent.x: expected int, got str 'a'"),
        (Point, {}, "v: Point needs a value for its field 'x'"),
        (Point, {"x": 1, "q": 1}, "v: Point has no field 'q'"),
        (list[int], [1, None], "v[1]: expected int, got None"),
        (list[int], "12", "v: expected list[int], got str '12'"),
        (list[int], {1, 2}, "v: expected list[int], got set"),
        (dict[int, int], {"a": 1}, "v['a']: expected int, got str 'a'"),
        (dict[int, int], [[1, 1], [1, 2]], "the same key twice"),
        (Mode, "SLOW", "v: expected Mode (FAST | EXACT), got str 'SLOW'"),
        (datetime, "soon", "v: expected datetime"),
        (timedelta, 10**20, "v: expected timedelta, got int"),
        (date | int, "soon", "v: expected date | int, got str 'soon'"),
        (tuple[int, int], [1], "v: expected tuple[int, int]"),
        (File, 5, "v: expected File (a path), got int 5"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(hint, plain, message):
    with pytest.raises(ValueMismatch) as caught:
        encode_generic(plain, literal_type(hint), None)
    assert message in str(caught.value.named("v"))


def test_plain_data_that_is_too_deep_is_refused():
    deep: Any = {"x": 1}
    for _ in range(1000):
        deep = {"x": 1, "parent": deep}
    with pytest.raises(LimitExceeded):
        encode_generic(deep, literal_type(Point), None)


def test_a_record_is_a_namespace_for_one_who_has_not_its_class():
    wire = codec(Point).encode(Point(1, parent=Point(2)), None)
    seen = decode_generic(wire, literal_type(Point), None)
    assert isinstance(seen, SimpleNamespace)
    assert (seen.x, seen.parent.x, seen.parent.parent, seen.made) == (1, 2, None, [1])
    assert decode_generic({"x": 5}, literal_type(Point), None).y == 0.5


@pytest.mark.parametrize(
    ("hint", "value", "seen"),
    [
        (Mode, Mode.FAST, "FAST"),
        (datetime, datetime(2026, 1, 1), datetime(2026, 1, 1)),
        (dict[Mode, tuple[int, ...]], {Mode.FAST: (1,)}, {"FAST": [1]}),
        (int | str, "a", "a"),
        (float, float("inf"), float("inf")),
        (int, -(2**70), -(2**70)),
        (Annotated[int, HashWith(str)], 5, 5),
    ],
)
def test_a_value_can_be_looked_at_without_its_hint(hint, value, seen):
    assert decode_generic(codec(hint).encode(value, None), literal_type(hint), None) == seen


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    JSON,
    st.sampled_from(
        [
            Point,
            int | str | None,
            dict[int, float],
            list[datetime],
            set[timedelta],
            tuple[int, Mode],
            Literal["a"] | list[bytes],
        ]
    ),
)
def test_whatever_comes_from_outside_either_fits_or_is_a_mismatch(plain, hint):
    type = literal_type(hint)
    for call in (
        lambda: encode_generic(plain, type, None),
        lambda: decode_generic(plain, type, None),
        lambda: codec(hint).decode(plain, None),
    ):
        with contextlib.suppress(ValueMismatch, LimitExceeded):
            call()


def test_files_and_directories_come_from_their_paths(io, tmp_path):
    (tmp_path / "a.csv").write_text("1,2")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "b").write_text("b")
    wire = encode_generic(str(tmp_path / "a.csv"), literal_type(File), io)
    assert (wire["name"], wire["size"], wire["layout"]) == ("a.csv", 3, "file")
    assert encode_generic(str(tmp_path / "tree"), literal_type(Directory), io)["layout"] == "directory"
    with decode_generic(wire, literal_type(File), io).open("r") as file:
        assert file.read() == "1,2"
    assert msgspec.json.encode(encode_generic(wire, literal_type(File), io)) == msgspec.json.encode(wire)
    with pytest.raises(ValueMismatch, match="expected a file, but there is nothing at"):
        encode_generic(str(tmp_path / "none"), literal_type(File), io)
    with pytest.raises(ValueMismatch, match="is a file"):
        encode_generic(str(tmp_path / "a.csv"), literal_type(Directory), io)
