"""Conditions over wire values say what Python says about the values."""

import enum
import operator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.spec.conditions import evaluate, mode, reading
from wingbeat.spec.entities import AllOf, AnyOf, Compare, Input, Not, Value
from wingbeat.types import ValueMismatch, codec, literal_type

OPERATORS = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
ORDERED = {
    "ints": (int, st.integers()),
    "floats": (float, st.floats()),
    "texts": (str, st.text()),
    "dates": (date, st.dates()),
    "datetimes": (datetime, st.datetimes()),
    "moments": (datetime, st.datetimes(timezones=OFFSETS)),
    "spans": (timedelta, st.timedeltas()),
}
EQUAL_ONLY = {
    "bools": (bool, st.booleans()),
    "bytes": (bytes, st.binary()),
    "enums": (Colour, st.sampled_from(Colour)),
    "literals": (Literal["a", "b"], st.sampled_from(["a", "b"])),
    "optional floats": (Optional[float], st.none() | st.floats()),  # as authors write it too
    "nothing": (None, st.none()),
}


def compared(op, hint, left, other, right):
    one, two = codec(hint), codec(other)
    by = mode(op, one.type, two.type)
    condition = Compare(op, Input("a"), Value(two.encode(right, None)), by)
    return evaluate(condition, {"a": one.encode(left, None)})


@pytest.mark.parametrize(("hint", "values"), ORDERED.values(), ids=ORDERED)
def test_ordered_values_compare_as_in_python(hint, values):
    @given(values, values, st.sampled_from(sorted(OPERATORS)))
    def check(left, right, op):
        assert compared(op, hint, left, hint, right) == OPERATORS[op](left, right)
        assert compared(op, hint, left, hint, left) == OPERATORS[op](left, left)

    check()


@pytest.mark.parametrize(("hint", "values"), EQUAL_ONLY.values(), ids=EQUAL_ONLY)
def test_values_without_an_order_are_equal_or_not_as_in_python(hint, values):
    @given(values, values, st.sampled_from(["eq", "ne"]))
    def check(left, right, op):
        assert compared(op, hint, left, hint, right) == OPERATORS[op](left, right)

    check()
    with pytest.raises(ValueMismatch, match=r"no order"):
        mode("lt", literal_type(hint), literal_type(hint))


@given(st.integers(), st.floats(), st.sampled_from(sorted(OPERATORS)))
def test_numbers_of_two_kinds_compare_exactly(whole, real, op):
    assert compared(op, int, whole, float, real) == OPERATORS[op](whole, real)
    assert compared(op, float, real, int, whole) == OPERATORS[op](real, whole)


def test_numbers_that_json_does_not_have_are_numbers_and_texts_are_texts():
    assert compared("gt", float, float("inf"), int, 10)
    assert not compared("eq", float, float("nan"), float, float("nan"))
    assert compared("gt", int, 10**30, int, 9)
    assert compared("eq", str, "nan", str, "nan")
    assert compared("lt", str, "10", str, "9")


def test_the_clock_of_another_zone_is_the_same_moment():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert compared("eq", datetime, noon, datetime, noon.astimezone(timezone(timedelta(hours=5))))


def test_a_moment_and_a_clock_differ_and_have_no_order():
    noon = datetime(2026, 1, 1, 12)  # without a zone on purpose
    assert not compared("eq", datetime, noon, datetime, noon.replace(tzinfo=UTC))
    with pytest.raises(
        ValueMismatch, match=r"'2026-01-01T12:00:00 < 2026-01-01T12:00:00\+00:00' cannot be told: one has an"
    ):
        compared("lt", datetime, noon, datetime, noon.replace(tzinfo=UTC))


def test_a_value_that_is_not_of_its_type_is_told_and_nothing_else():
    with pytest.raises(ValueMismatch):
        evaluate(Compare("lt", Input("a"), Value(1), "number"), {"a": "eleven"})


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (int, str, "int and str cannot be compared"),
        (list[int], list[int], r"list\[int\] cannot be compared"),
        (Colour, str, "Colour and str cannot be compared"),
        (datetime, date, "datetime and date cannot be compared"),
        (int | str, int, r"int \| str cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_told(one, other, said):
    with pytest.raises(ValueMismatch, match=said):
        mode("eq", literal_type(one), literal_type(other))


def test_anything_may_be_compared_with_none():
    assert compared("ne", Optional[str], "x", None, None)  # as above
    assert reading(literal_type(Optional[list[int]])) is None  # as above


# -- combinations: against Python on the same tree

NAMES = ("a", "b", "c")
TREES = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, max_size=3)) | st.tuples(st.just("not"), inner)
    ),
)


def as_condition(tree):
    match tree:
        case str():
            return Input(tree)
        case ("not", inner):
            return Not(as_condition(inner))
        case (word, parts):
            return (AllOf if word == "and" else AnyOf)(tuple(map(as_condition, parts)))


def as_python(tree, values):
    match tree:
        case str():
            return values[tree]
        case ("not", inner):
            return not as_python(inner, values)
        case (word, parts):
            return (all if word == "and" else any)(as_python(part, values) for part in parts)


@given(TREES, st.fixed_dictionaries(dict.fromkeys(NAMES, st.booleans())))
def test_combinations_are_those_of_python(tree, values):
    assert evaluate(as_condition(tree), values) is as_python(tree, values)
