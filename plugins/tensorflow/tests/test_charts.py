"""The drawing of learning curves. Needs no TensorFlow."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from wingbeat_tensorflow.charts import POINTS_MAX, curves


def drawings(history):
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", curves(history), re.DOTALL)]


def test_each_metric_is_one_drawing_with_training_and_validation():
    found = drawings(
        {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 2.0], "mae": [1.0, 0.5, 0.2], "val_only": [1.0, 2.0]}
    )
    assert [len(each.findall("polyline")) for each in found] == [2, 1, 1]
    assert [each.get("aria-label") for each in found] == ["loss by epoch", "mae by epoch", "val_only by epoch"]
    assert "validation 2" in "".join(found[0].itertext())


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [1.0, math.nan, 2.0], [math.inf, 1.0], [0.0] * 5000])
def test_whatever_the_values_it_is_a_drawing_of_bounded_size(values):
    (found,) = drawings({"loss": values})
    points = [line.get("points").split() for line in found.findall("polyline")]
    assert sum(map(len, points)) <= POINTS_MAX + 1
    assert all(math.isfinite(float(number)) for line in points for point in line for number in point.split(","))


def test_without_a_finite_value_it_says_so():
    assert "no finite values" in curves({"loss": [math.nan]})


def test_names_are_escaped():
    assert "<script>" not in curves({"<script>": [1.0, 2.0]})
