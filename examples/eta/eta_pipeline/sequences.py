"""Routes as sequences of equally many steps, for a network that looks at what follows what. Used in training and serving.

Nothing here reads a ride's duration or end time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from eta_pipeline.constants import NO_FOLD
from eta_pipeline.features import World
from eta_pipeline.network import ROAD_CLASSES, Ints
from eta_pipeline.rides import PLACES

STEPS = 24
CHANNELS = ("there", "pace", "free_pace", "road_class", "signals", "east", "north")
"""Of a step: whether a segment lies in it; seconds a metre at that time and in free flow; class; signals; direction."""


def sequences(rides: pd.DataFrame, world: World, without: Ints | None = None) -> npt.NDArray[np.float32]:
    """Return shape (rides, STEPS, CHANNELS): what lies on each of the equally long steps of a ride's route.

    `rides` has start_ts and the four coordinates. `without` is the fold left out of the traffic, for each ride. Of a ride
    without a route everything is 0.
    """
    net, traffic = world.network, world.traffic
    ts = rides.start_ts.to_numpy()
    fold = np.full(len(rides), NO_FOLD) if without is None else without
    paths = world.router.paths(*(rides[c].to_numpy(dtype=float) for c in PLACES))
    trip, segment = paths.trip.to_numpy().astype(np.int64), paths.segment.to_numpy().astype(np.int64)
    share = (paths.finish - paths.begin).to_numpy()
    metres = share * net.length_m[segment]
    slot, bucket = world.clock.slot(ts), world.clock.bucket(ts)
    pace = traffic.pace[fold[trip], segment] * traffic.deviation[fold[trip], segment, bucket[trip]]
    bearing = np.radians(net.segments.bearing.to_numpy()[segment])
    values = (
        np.ones(len(trip)),
        pace * traffic.factor[fold[trip], slot[trip]],
        net.free_seconds[segment] / net.length_m[segment],
        net.road_class[segment] / len(ROAD_CLASSES),
        net.segments.signal.to_numpy()[segment] / net.segments.parts.to_numpy()[segment],
        np.sin(bearing),
        np.cos(bearing),
    )
    whole = np.bincount(trip, metres, minlength=len(rides))
    before = np.cumsum(metres) - metres
    first = np.r_[True, trip[1:] != trip[:-1]] if len(trip) else np.zeros(0, dtype=bool)
    begin = before - np.maximum.accumulate(np.where(first, before, 0.0))
    middle = (begin + metres / 2) / np.maximum(whole[trip], 1e-9)
    step = trip * STEPS + np.minimum((middle * STEPS).astype(np.int64), STEPS - 1)
    size = len(rides) * STEPS
    weight = np.maximum(np.bincount(step, metres, minlength=size), 1e-9)
    columns = [np.bincount(step, metres * value, minlength=size) / weight for value in values]
    return np.stack(columns, axis=1).reshape(len(rides), STEPS, len(CHANNELS)).astype(np.float32)
