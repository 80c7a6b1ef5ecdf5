"""Values as other languages see them: out and in again."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from wingbeat.types import File, ValueMismatch, decode_generic, encode_generic, literal_type
from wingbeat_container.plain import is_path, optional, parsed, plain, text


class Point(msgspec.Struct):
    x: int
    y: float | None = None


VALUES = [
    (7, int), (2**70, int), (-1, int), (0.1, float), (float("inf"), float), (True, bool), ("a\nb", str), ("", str),
    (b"\0\xff", bytes), (None, int | None), (3, int | None), ([1, 2], list[int]), ({"a": [0.5]}, dict[str, list[float]]),
    ({1: "x"}, dict[int, str]),
    (datetime(2024, 5, 1, 12, tzinfo=UTC), datetime), (date(2024, 5, 1), date), (timedelta(seconds=90), timedelta),
    ((1, "a"), tuple[int, str]),
    (SimpleNamespace(x=1, y=2.5), Point),
]  # fmt: skip


@pytest.mark.parametrize(("value", "hint"), VALUES, ids=str)
def test_what_is_written_is_what_is_read(value, hint):
    type_ = literal_type(hint)
    wire = encode_generic(value, type_, None)
    seen = decode_generic(wire, type_, None)
    data = seen if isinstance(seen, bytes) else text(plain(seen, str))
    assert encode_generic(parsed(data, type_), type_, None) == wire
    assert encode_generic(plain(seen, str), type_, None) == wire


@pytest.mark.parametrize(
    ("said", "hint", "value"),
    [("7\n", int, 7), (" 7 \n", int, 7), (".5", float, 0.5), ("1e3\n", float, 1000.0), ("a\n", str, "a"), ("a\n\n", str, "a\n"),
     ("true\n", bool, True), ("null\n", int | None, None), ("[1,2]\n", list[int], [1, 2])],
)  # fmt: skip
def test_what_programs_print(said, hint, value):
    type_ = literal_type(hint)
    assert encode_generic(parsed(said.encode(), type_), type_, None) == value


@pytest.mark.parametrize(("said", "hint"), [("", int), ("7.5", int), ("yes", bool), ("{", list[int]), ("x", float)])
def test_what_is_of_another_type_is_refused(said, hint):
    type_ = literal_type(hint)
    with pytest.raises(ValueMismatch, match="expected"):
        encode_generic(parsed(said.encode(), type_), type_, None)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(ValueMismatch, match="expected text"):
        parsed(b"\xff", literal_type(str))


def test_kinds():
    assert is_path(literal_type(File))
    assert is_path(literal_type(File | None))
    assert not is_path(literal_type(list[File]))
    assert optional(literal_type(int | None))
    assert not optional(literal_type(int))
