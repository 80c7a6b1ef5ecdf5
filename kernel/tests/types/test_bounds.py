"""Bytes from outside are measured before msgspec decodes them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wingbeat.types import LimitExceeded, check_depth
from wingbeat.types.bounds import check_wire_depth

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', '\\"', "[[[", "\\", "{", '"]']
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=40,
)


def depth(value: Any) -> int:
    """The naive measure: levels of lists and dicts."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def count(value: Any) -> int:
    """The naive count of values; the keys of dicts not counted."""
    if isinstance(value, dict):
        return 1 + sum(map(count, value.values()))
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


def passes(data: bytes, depth_max: int, nodes_max: int = 10**9, *, format: str | None = None) -> bool:
    try:
        check_depth(data, depth_max, nodes_max, format=format)
    except LimitExceeded:
        return False
    return True


@given(VALUES, st.integers(0, 6))
def test_the_depth_of_json_is_what_a_naive_count_says(value, limit):
    expected = depth(value) <= limit
    assert passes(msgspec.json.encode(value), limit, format="json") == expected
    assert passes(json.dumps(value, indent=2).encode(), limit, format="json") == expected
    assert passes(json.dumps(value, ensure_ascii=True).encode(), limit, format="json") == expected


@given(VALUES, st.integers(0, 6))
def test_the_depth_of_msgpack_is_what_a_naive_count_says(value, limit):
    assert passes(msgspec.msgpack.encode(value), limit, format="msgpack") == (depth(value) <= limit)


@given(VALUES.filter(lambda value: isinstance(value, list | dict)), st.integers(0, 6))
def test_the_first_byte_of_an_object_or_array_tells_its_format(value, limit):
    expected = depth(value) <= limit
    assert passes(msgspec.json.encode(value), limit) == expected
    assert passes(msgspec.msgpack.encode(value), limit) == expected


@given(VALUES, st.integers(0, 6))
def test_the_depth_of_a_wire_value_is_what_a_naive_count_says(value, limit):
    try:
        check_wire_depth(value, limit)
        fits = True
    except LimitExceeded:
        fits = False
    assert fits == (depth(value) <= limit)


@given(VALUES, st.integers(0, 40))
def test_no_more_values_pass_than_the_limit_says(value, limit):
    for data in (msgspec.json.encode(value), msgspec.msgpack.encode(value)):
        if passes(data, 64, limit):
            assert count(value) <= max(limit, len(data))
        assert passes(data, 64, 4 * count(value) + 4)


@given(st.binary(max_size=200))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xc9\xff\xff\xff\xff")
@example(b"\xdf\xff")
@example(b'["\\')
@example(b'["')
def test_what_passes_never_makes_the_decoder_go_deeper(data):
    for format, decode in (("json", msgspec.json.decode), ("msgpack", msgspec.msgpack.decode)):
        try:
            check_depth(data, 3, format=format)
        except LimitExceeded:
            continue
        try:
            value = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, TypeError):
            continue
        if format == "json":
            assert depth(value) <= 3


@pytest.mark.parametrize("levels", [64, 65, 1_000, 100_000, 2_000_000])
@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\xa1a"], ids=str
)
def test_nesting_beyond_64_levels_is_refused_in_linear_time(levels, opening):
    data = opening * levels + b"\x01"
    if levels <= 64:
        check_depth(data)
    else:
        with pytest.raises(LimitExceeded, match="nested deeper than 64 levels"):
            check_depth(data)


def test_brackets_inside_strings_are_text():
    check_depth(json.dumps(["[" * 1000, '\\"[[[[' * 50, {"{" * 1000: "\\" * 99}]).encode(), depth_max=2)
    check_depth(msgspec.msgpack.encode(["\x91" * 1000, b"\x91" * 1000]), depth_max=1)


def test_a_million_values_are_refused_if_the_limit_is_lower():
    with pytest.raises(LimitExceeded, match="more than 1000 values"):
        check_depth(b"[" + b"0," * 1_000_000 + b"0]", nodes_max=1000)
    with pytest.raises(LimitExceeded, match="more than 1000 values"):
        check_depth(b"\xdd\x00\x0f\x42\x40" + b"\x00" * 1_000_000, nodes_max=1000)


def test_a_scalar_has_no_depth():
    for data in (b"", b"5", b" null", b"\x05", b"\xa3abc", b"\xff", b'"[[["'):
        check_depth(data, depth_max=0)
