"""Scalars come back as they went in: the same value of the same type."""

from __future__ import annotations

import enum
import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wingbeat.types import LimitExceeded, Simple, UnsupportedType, ValueMismatch, check_wire, codec

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Monrovia", "UTC", "Asia/Kathmandu"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


class Colour(enum.Enum):
    RED = "#f00"
    GREEN = "#0f0"
    ROUGE = "#f00"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@given(st.integers() | st.integers(2**62, 2**66) | st.integers(-(2**66), -(2**62)))
@example(2**63 - 1)
@example(2**63)
@example(-(2**63))
@example(-(2**63) - 1)
def test_an_int_of_any_size_stays_that_int(through, value):
    assert same(through(int, value), value)


@given(st.floats())
@example(-0.0)
@example(5e-324)
def test_a_float_comes_back_to_the_last_bit(through, value):
    back = through(float, value)
    assert type(back) is float
    assert math.isnan(back) if math.isnan(value) else struct.pack("d", back) == struct.pack("d", value)


@pytest.mark.parametrize(("wire", "bits"), [(2**63, 65), (-(2**63) - 1, 65), (2**64, 66)])
def test_an_int_that_not_every_format_takes_is_no_wire_value(wire, bits):
    with pytest.raises(
        ValueMismatch, match=f"more than 64 bit travels as its digits, a str; got {bits} bit with its sign"
    ):
        check_wire(wire, Simple("int"))
    check_wire(str(wire), Simple("int"))


@given(st.integers(-(2**53), 2**53))
def test_a_float_takes_an_int_and_makes_it_a_float(value):
    back = codec(float).decode(codec(float).encode(value, None), None)
    assert same(back, float(value))
    assert same(codec(float).decode(value, None), float(value))


@given(TEXT)
def test_text_stays(through, value):
    assert same(through(str, value), value)


@given(st.binary())
def test_bytes_stay(through, value):
    assert same(through(bytes, value), value)


@given(st.booleans(), st.none())
def test_bools_and_none_stay(through, truth, none):
    assert through(bool, truth) is truth
    assert through(None, none) is none


@given(st.datetimes(), st.sampled_from([0, 1]))
def test_a_naive_datetime_keeps_its_fold_and_gets_no_zone(through, value, fold):
    value = value.replace(fold=fold)
    back = through(datetime, value)
    assert (back, back.fold, back.tzinfo) == (value, fold, None)


@given(st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)), st.sampled_from(ZONES), st.sampled_from([0, 1]))
@example(datetime(2026, 10, 25, 2, 30), "Europe/Berlin", 1)
@example(datetime(2026, 3, 29, 2, 30), "Europe/Berlin", 1)  # skipped by the clock
@example(datetime(2026, 3, 29, 2, 30), "Europe/Berlin", 0)
def test_a_zoned_datetime_keeps_zone_offset_and_fold(through, value, key, fold):
    value = value.replace(tzinfo=ZoneInfo(key), fold=fold)
    back = through(datetime, value)
    assert (back.replace(tzinfo=None), back.fold) == (value.replace(tzinfo=None), value.fold)
    assert back.tzinfo is value.tzinfo
    assert back.utcoffset() == value.utcoffset()


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),
    st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)),
)
def test_a_datetime_with_a_fixed_offset_keeps_it_to_the_microsecond(through, value, offset):
    value = value.replace(tzinfo=timezone(offset))
    back = through(datetime, value)
    assert back == value
    assert back.utcoffset() == value.utcoffset()
    assert type(back.tzinfo) is timezone


def test_a_datetime_reads_as_rfc_9557_says():
    encode = codec(datetime).encode
    zoned = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    assert encode(zoned, None) == "2026-10-25T02:30:00+01:00[Europe/Berlin]"
    assert encode(datetime(2026, 10, 25, 2, 30, fold=1), None) == "2026-10-25T02:30:00[_fold=1]"
    assert encode(datetime(2026, 1, 1, tzinfo=UTC), None) == "2026-01-01T00:00:00+00:00"


def test_when_a_zone_has_changed_its_rules_the_instant_stays():
    back = codec(datetime).decode("2026-07-01T12:00:00+05:00[Europe/Berlin]", None)
    assert back == datetime(2026, 7, 1, 7, 0, tzinfo=UTC)
    assert back.tzinfo is ZoneInfo("Europe/Berlin")


@given(st.dates())
def test_dates_stay(through, value):
    assert same(through(date, value), value)


@given(st.timedeltas())
@example(timedelta.min)
@example(timedelta.max)
@example(timedelta(microseconds=-1))
def test_spans_stay_to_the_microsecond(through, value):
    assert same(through(timedelta, value), value)


def test_a_span_reads_as_an_iso_8601_duration():
    encode = codec(timedelta).encode
    assert encode(timedelta(days=1, hours=2, seconds=3, microseconds=500_000), None) == "P1DT2H3.5S"
    assert encode(timedelta(0), None) == "PT0S"
    assert encode(timedelta(hours=-36), None) == "-P1DT12H"


@given(st.sampled_from([*Colour, Colour.ROUGE]), st.sampled_from(list(Level)))
def test_enums_stay_members(through, colour, level):
    assert through(Colour, colour) is colour
    assert through(Level, level) is level


@given(st.integers(0, 7).map(Access))
def test_flags_keep_every_bit(through, value):
    assert same(through(Access, value), value)


@given(st.sampled_from([1, "a", None, True, -7]))
def test_literals_are_the_values_themselves(through, value):
    assert same(through(Literal[1, "a", None, True, -7], value), value)


def test_a_literal_tells_1_from_true():
    with pytest.raises(ValueMismatch, match=r"expected Literal\[1\], got bool True"):
        codec(Literal[1]).encode(True, None)
    assert codec(Literal[1]).type != codec(Literal[True]).type


def test_a_literal_of_members_is_an_enum_of_fewer(through):
    assert through(Literal[Colour.RED], Colour.RED) is Colour.RED
    with pytest.raises(ValueMismatch, match=r"expected Colour \(RED\)"):
        codec(Literal[Colour.RED]).encode(Colour.GREEN, None)


def test_numpy_scalars_become_the_python_scalars_they_mean():
    numpy = pytest.importorskip("numpy")
    assert same(codec(int).encode(numpy.int64(5), None), 5)
    assert same(codec(float).encode(numpy.float32(0.5), None), 0.5)
    assert same(codec(float).encode(numpy.float64("nan"), None), "nan")
    assert codec(bool).encode(numpy.bool_(True), None) is True
    with pytest.raises(ValueMismatch, match="expected int"):
        codec(int).encode(numpy.float64(5), None)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int, "a", "expected int, got str 'a'"),
        (int, 1.0, "expected int, got float 1.0"),
        (int, True, "expected int, got bool True"),
        (int, None, "expected int, got None"),
        (float, "1", "expected float, got str '1'"),
        (float, True, "expected float, got bool True"),
        (float, 2**53 + 1, "expected float, got int 9007199254740993, which no float can hold exactly"),
        (float, 10**400, "which no float can hold exactly"),
        (bool, 1, "expected bool, got int 1"),
        (str, b"a", "expected str, got bytes b'a'"),
        (str, "\ud800", "half a surrogate pair"),
        (bytes, "a", "expected bytes, got str 'a'"),
        (None, 0, "expected None, got int 0"),
        (date, datetime(2026, 1, 1), "expected date, got datetime"),
        (datetime, date(2026, 1, 1), "expected datetime, got date"),
        (timedelta, 5, "expected timedelta, got int 5"),
        (Colour, "RED", "expected Colour (RED | GREEN), got str 'RED'"),
        (Literal["low", "high"], "mid", "expected Literal['low', 'high'], got str 'mid'"),
        (Literal["low", "high"], [], "expected Literal['low', 'high'], got list []"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(hint, value, message):
    with pytest.raises(ValueMismatch) as caught:
        codec(hint).encode(value, None)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("hint", "wire"),
    [
        (int, "5"),  # within 64 bit a number, and nothing else
        (int, 5.0),
        (int, True),
        (int, "0x" + "f" * 40),
        (int, "٣" * 30),
        (float, "Infinity"),
        (float, True),
        (bool, 0),
        (bytes, "a"),
        (bytes, "?" * 8),
        (datetime, "yesterday"),
        (datetime, "2026-13-01T00:00:00"),
        (datetime, "2026-01-01T00:00:00[../../etc/passwd]"),
        (datetime, "2026-01-01T00:00:00[Middle/Earth]"),
        (datetime, 5),
        (date, "2026-02-30"),
        (timedelta, "P"),
        (timedelta, "PT"),
        (timedelta, "P1000000000D"),
        (timedelta, "PT1e9S"),
        (Colour, "BLUE"),
        (Colour, ["RED"]),
        (Access, "READ|FLY"),
        (None, False),
    ],
)
def test_a_wrong_wire_value_is_refused(hint, wire):
    with pytest.raises(ValueMismatch):
        codec(hint).decode(wire, None)


def test_an_int_of_ten_million_digits_is_refused_before_it_is_read():
    with pytest.raises(LimitExceeded):
        codec(int).decode("9" * 10_000_000, None)
    with pytest.raises(LimitExceeded):
        codec(int).encode(10**5000, None)


def test_a_literal_that_no_wire_can_carry_is_refused_as_a_type():
    with pytest.raises(UnsupportedType, match="is not supported: use None, bool, int"):
        codec(Literal[b"x"])
