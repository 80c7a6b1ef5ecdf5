"""The record of the acceptance program `08_types.py`: one field of every kind, unchanged by the way through the engine."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from wingbeat.types import ValueMismatch, check_depth, codec, literal_type, pick, select


class Mode(enum.Enum):
    FAST = "fast"
    EXACT = "exact"


@dataclass
class Point:
    x: int
    y: float = 0.5
    tags: dict[str, list[int]] = field(default_factory=dict)
    parent: Point | None = None


@dataclass
class Everything:
    i: int
    f: float
    s: str
    b: bool
    raw: bytes
    nothing: None
    when: datetime
    day: date
    span: timedelta
    mode: Mode
    points: list[Point]
    by_number: dict[int, str]
    pair: tuple[int, str]
    some: set[int]
    maybe: int | None
    either: int | str
    huge: int
    naive: datetime
    zoned: datetime
    infinite: float
    level: Literal["low", "high"]
    noted: Annotated[int, "a note"]


VALUE = Everything(
    i=2**62,
    f=3.0,
    s="naïve ☂",
    b=True,
    raw=b"\x00\xff",
    nothing=None,
    when=datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    day=date(2024, 2, 29),
    span=timedelta(microseconds=1),
    mode=Mode.EXACT,
    points=[Point(1, parent=Point(2))],
    by_number={1: "one"},
    pair=(1, "a"),
    some={1, 2},
    maybe=None,
    either="x",
    huge=-(2**70),
    naive=datetime(2026, 10, 25, 2, 30, fold=1),
    zoned=datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    infinite=float("-inf"),
    level="high",
    noted=7,
)


def test_everything_comes_back(through):
    back = through(Everything, VALUE)
    assert back == VALUE
    assert type(back.f) is float
    assert type(back.i) is int
    assert back.naive.tzinfo is None
    assert back.naive.fold == 1
    assert back.zoned.utcoffset() == VALUE.zoned.utcoffset()
    assert math.isnan(through(Everything, replace(VALUE, f=math.nan)).f)


def test_the_first_point_can_be_taken_out_on_its_own():
    wire = codec(Everything).encode(VALUE, None)
    check_depth(msgspec.json.encode(wire))
    type = literal_type(Everything)
    assert select(type, ("points", 0)) == literal_type(Point)
    assert codec(Point).decode(pick(wire, type, ("points", 0)), None) == VALUE.points[0]


def test_something_else_is_refused_by_name():
    with pytest.raises(ValueMismatch) as caught:
        codec(Everything).encode("not a record", None)
    assert str(caught.value.named("v")) == "v: expected Everything, got str 'not a record'"
