"""Deferred values made whole."""

import msgspec
import pytest

from wingbeat.runtime.inputs import materialise
from wingbeat.spec.codec import canonical
from wingbeat.spec.literal import Inline, LiteralList, LiteralMap, Offloaded, Picked
from wingbeat.types import LimitExceeded, literal_type


def store(values):
    def read(literal):
        return canonical(values[literal.uri])

    return read


def test_values_of_every_form_become_their_wire():
    read = store({"a": [1, {"x": 2}]})
    stored = Offloaded("a", 1, "")
    assert materialise(Inline({"k": [1]}), read) == {"k": [1]}
    assert materialise(stored, read) == [1, {"x": 2}]
    assert materialise(LiteralList((stored, Inline(3))), read) == [[1, {"x": 2}], 3]
    assert materialise(LiteralMap({"m": stored}), read) == {"m": [1, {"x": 2}]}
    assert materialise(Picked(stored, (1, "x")), read) == 2


def test_a_part_is_converted_where_the_types_differ():
    source, target = (msgspec.json.encode(literal_type(hint)) for hint in (int, int | None))
    assert materialise(Picked(Inline([5]), (0,), source, target), store({})) == 5
    widened = msgspec.json.encode(literal_type(float))
    assert materialise(Picked(Inline([5]), (0,), source, widened), store({})) == 5.0


def test_a_missing_part_is_told_with_its_place():
    with pytest.raises(LookupError, match=r"\['a'\]\[3\]"):
        materialise(Picked(Inline({"a": [1]}), ("a", 3)), store({}))


def test_stored_json_that_nests_without_end_is_refused():
    with pytest.raises(LimitExceeded):
        materialise(Offloaded("a", 1, ""), lambda _: b"[" * 5000 + b"]" * 5000)
