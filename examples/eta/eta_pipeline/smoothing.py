"""From sums of what was driven to the pace of every segment at every time of the week, smoothed.

    pace(segment, time) = pace(segment) * factor(hour of the day type, whole city) * deviation(segment, bucket)

Each of the three is a mean of what was seen and what one level up says, weighted by the seconds seen and a constant
number of seconds (an empirical Bayes estimate): a segment leans on its class, a class on the city, an hour on the same
hour of all days, a segment's bucket on the segment. So a few slow passes move little, and a segment that nobody drove
on has the pace of its class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eta_pipeline.clock import BUCKET_STARTS, BUCKETS, SLOTS

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CLASS_SECONDS = 3_600.0
SEGMENT_SECONDS = 60.0
SLOT_SECONDS = 30_000.0
BUCKET_SECONDS = 240.0
UNKNOWN_PACE = 0.2
"""Seconds per metre assumed where nothing at all was seen (18 km/h)."""


@dataclass(frozen=True)
class Smoothed:
    """Pace (segments), deviation (segments, BUCKETS), factor (SLOTS)."""

    pace: Array
    deviation: Array
    factor: Array


def bucket_of_slot() -> Ints:
    """Return the bucket of each slot, as `Clock.bucket` gives it for a time in the slot."""
    slot = np.arange(SLOTS)
    part = (np.digitize(slot % 24, BUCKET_STARTS) - 1) % len(BUCKET_STARTS)
    return np.asarray(part + len(BUCKET_STARTS) * (slot // 24 >= 2), dtype=np.int64)


def smooth_sums(segment: Ints, slot: Ints, seconds: Array, metres: Array, classes: Ints) -> Smoothed:
    """Return the smoothed layer of sums by segment and slot (several rows of one cell add up).

    `classes` is the class of each segment, as a number.
    """
    pace = segment_pace(_sum(segment, seconds, len(classes)), _sum(segment, metres, len(classes)), classes)
    expected = metres * pace[segment]
    factor = city_factors(_sum(slot, seconds, SLOTS), _sum(slot, expected, SLOTS))
    cell = segment * BUCKETS + bucket_of_slot()[slot]
    size = len(classes) * BUCKETS
    deviation = (_sum(cell, seconds, size) + BUCKET_SECONDS) / (
        _sum(cell, expected * factor[slot], size) + BUCKET_SECONDS
    )
    return Smoothed(pace, deviation.reshape(-1, BUCKETS), factor)


def segment_pace(seconds: Array, metres: Array, classes: Ints) -> Array:
    """Return s/m of each segment, all hours together: drawn to its class, and that to the city."""
    city = seconds.sum() / metres.sum() if metres.sum() > 0 else UNKNOWN_PACE
    size = int(classes.max()) + 1
    of_class = _drawn(_sum(classes, seconds, size), _sum(classes, metres, size), CLASS_SECONDS, np.full(size, city))
    return _drawn(seconds, metres, SEGMENT_SECONDS, of_class[classes])


def city_factors(seconds: Array, expected: Array) -> Array:
    """Return how much slower than usual the city is in each slot: with half of the hours beside it, drawn to all days."""
    seen, usual = (_with_neighbours(v.reshape(-1, 24)) for v in (seconds, expected))
    any_day = (seen.sum(axis=0) + CLASS_SECONDS) / (usual.sum(axis=0) + CLASS_SECONDS)
    return np.asarray((seen + SLOT_SECONDS * any_day) / (usual + SLOT_SECONDS)).ravel()


def _with_neighbours(by_hour: Array) -> Array:
    return np.asarray(by_hour + 0.5 * np.roll(by_hour, 1, axis=1) + 0.5 * np.roll(by_hour, -1, axis=1))


def _drawn(seconds: Array, metres: Array, weight: float, prior: Array) -> Array:
    """Return seconds per metre, drawn to the prior as if `weight` seconds had been driven at it."""
    return (seconds + weight) / (metres + weight / prior)


def _sum(key: Ints, values: Array, size: int) -> Array:
    return np.bincount(key, weights=values, minlength=size).astype(np.float64)
