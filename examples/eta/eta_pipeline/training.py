"""Training data: described rides with their durations, made so that no ride is described by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eta_pipeline.clock import Clock
from eta_pipeline.corrections import fit, out_of_fold
from eta_pipeline.features import World, complete, describe
from eta_pipeline.geo import Array
from eta_pipeline.rides import is_clean

TUNE_SHARE = 0.2
MIN_RIDES = 200


def prepare(
    rides: pd.DataFrame, segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame, clock: Clock
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (described, corrections) of the clean rides.

    described: ride_id, start_ts, duration_s and the features; a ride's traffic and corrections come from days of other
    folds. corrections: fitted on all of the rides, for rides to come.

    Raises:
        ValueError: there are too few clean rides to learn from.
    """
    rides = rides[is_clean(rides)].sort_values(["start_ts", "ride_id"], ignore_index=True)
    if len(rides) < MIN_RIDES:
        raise ValueError(f"only {len(rides)} clean rides to train on; at least {MIN_RIDES} are needed")
    fold = clock.fold(rides.start_ts)
    table, trips = describe(rides, World.of(segments, paces, factors, clock), without=fold)
    log_duration, everyone = np.log(rides.duration_s.to_numpy(dtype=float)), np.ones(len(rides), dtype=bool)
    described = complete(table, out_of_fold(trips, log_duration, fold, everyone))
    named = rides[["ride_id", "start_ts", "duration_s"]].join(described)
    return named, fit(trips, log_duration, everyone).table()


def sequences_of(
    described: pd.DataFrame,
    rides: pd.DataFrame,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    clock: Clock,
) -> np.ndarray:
    """Return the routes of the described rides as sequences, in their order, with traffic of other folds only."""
    from eta_pipeline.sequences import sequences

    rides = described[["ride_id"]].merge(rides, on="ride_id", how="left", validate="one_to_one")
    return sequences(rides, World.of(segments, paces, factors, clock), without=clock.fold(rides.start_ts))


def split(described: pd.DataFrame) -> tuple[pd.DataFrame, Array, np.ndarray]:
    """Return features, durations, and which rides (the last fifth by time) the search for parameters is scored on."""
    features = described.drop(columns=["ride_id", "start_ts", "duration_s"])
    tune = np.zeros(len(described), dtype=bool)
    tune[int(len(described) * (1 - TUNE_SHARE)) :] = True
    return features, described.duration_s.to_numpy(dtype=float), tune
