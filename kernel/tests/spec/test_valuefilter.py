"""What values are compared by."""

import pytest

from wingbeat.spec.valuefilter import number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0), ("-0.5e3", -500.0), ("nan", None), ("inf", None), ("sf", None), ("", None),
        ("PT9H", 32400.0), ("PT1H30M", 5400.0), ("-P1DT0.5S", -86400.5), ("P", None), ("Paris", None), ("PT", None),
        ("P9999999999D", None),
        ("1970-01-01T01:00:00+01:00", 0.0), ("1970-01-02T00:00:00+01:00[Europe/Berlin]", 82800.0), ("1970-01-01 00:01", 60.0),
        ("1970-01-02", 86400.0), ("1970-13-02", None), ("1970-01-02T", None), ("1970-01-02T25:00", None), ("1970-01", None),
        ("1970-01-02-b", None),
    ],
)  # fmt: skip
def test_numbers_moments_and_durations_have_a_number(text, number):
    assert number_of(text) == number
