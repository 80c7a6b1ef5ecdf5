"""Deferred values made whole."""

import pytest

from wingbeat.spec.codec import canonical
from wingbeat.spec.literal import Inline, LiteralList, LiteralMap, Offloaded, Picked
from wingbeat.spec.whole import materialise
from wingbeat.types import LimitExceeded, ValueMismatch, literal_type


def store(values):
    def read(literal):
        return canonical(values[literal.uri])

    return read


def test_values_of_every_form_become_their_wire():
    read = store({"a": [{"x": 1}, {"x": 2}]})
    stored = Offloaded("a", 1, "")
    assert materialise(Inline({"k": [1]}), read) == {"k": [1]}
    assert materialise(stored, read) == [{"x": 1}, {"x": 2}]
    assert materialise(LiteralList((stored, Inline(3))), read) == [[{"x": 1}, {"x": 2}], 3]
    assert materialise(LiteralMap({"m": stored}), read) == {"m": [{"x": 1}, {"x": 2}]}
    assert materialise(Picked(stored, (1, "x"), literal_type(list[dict[str, int]])), read) == 2


def test_a_part_is_converted_where_the_types_differ():
    whole = literal_type(list[int])
    assert materialise(Picked(Inline([5]), (0,), whole), store({})) == 5
    assert materialise(Picked(Inline([5]), (0,), whole, literal_type(int | str)), store({})) == {"k": 0, "v": 5}


def test_a_missing_part_is_told_with_its_place():
    with pytest.raises(ValueMismatch, match=r"a: there is no item 3: the list has 1"):
        materialise(Picked(Inline({"a": [1]}), ("a", 3), literal_type(dict[str, list[int]])), store({}))


def test_stored_json_that_nests_without_end_is_refused():
    with pytest.raises(LimitExceeded):
        materialise(Offloaded("a", 1, ""), lambda _: b"[" * 5000 + b"]" * 5000)
