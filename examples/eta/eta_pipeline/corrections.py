"""What rides teach beyond the traffic layer: how much longer a ride takes for each segment it uses and zone it joins.

A ridge regression of log duration, on top of a curve of log route seconds:

    log duration = a + b log s + c log^2 s + sum(share of s on a segment * its effect) + start zone + end zone

with s the observed seconds of the route. Training rides get the estimate made without their own fold of days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags, hstack
from scipy.sparse.linalg import lsmr

from eta_pipeline.constants import FOLDS
from eta_pipeline.geo import Array
from eta_pipeline.network import Ints, Network

ZONE_M = 150.0
SEGMENT_PENALTY = 1.5
ZONE_PENALTY = 9.0
LARGEST_SURPRISE = 1.0
"""Residuals of log duration are cut off here, so that a wait at a kerb teaches little."""

_SIDE = 1_000_000
_LEAST_SECONDS = 30.0


@dataclass(frozen=True)
class Trips:
    """What the regression sees of n rides: observed route seconds, the seconds of each segment on it, zones."""

    seconds: Array
    parts: csr_matrix
    start_zone: Ints
    end_zone: Ints


def zones(network: Network, lat: Array, lon: Array) -> Ints:
    """Return the number of the square of ZONE_M metres that each point lies in."""
    x, y = network.projection.xy(lat, lon)
    return np.asarray(np.floor(x / ZONE_M) * _SIDE + np.floor(y / ZONE_M), dtype=np.int64)


def _curve(seconds: Array) -> Array:
    log = np.log(np.maximum(seconds, _LEAST_SECONDS))
    return np.stack([np.ones_like(log), log, log * log], axis=1)


@dataclass(frozen=True)
class Corrections:
    """The fitted effects; zones that were never seen have none (0)."""

    curve: Array
    segment: Array
    start: pd.Series
    end: pd.Series

    def log_seconds(self, trips: Trips) -> Array:
        """Return the expected log duration of each ride, NaN where it has no route."""
        start = self.start.reindex(trips.start_zone).fillna(0.0).to_numpy()
        end = self.end.reindex(trips.end_zone).fillna(0.0).to_numpy()
        value = _curve(trips.seconds) @ self.curve + _shares(trips) @ self.segment + start + end
        return np.where(trips.seconds > 0, value, np.nan)

    def table(self) -> pd.DataFrame:
        """Return the effects as rows: kind, key, value; `of_table` reads them back."""
        parts = [("curve", range(3), self.curve), ("segment", range(len(self.segment)), self.segment)]
        parts += [("start", self.start.index, self.start), ("end", self.end.index, self.end)]
        frames = [
            pd.DataFrame({"kind": kind, "key": np.asarray(key), "value": np.asarray(v)}) for kind, key, v in parts
        ]
        return pd.concat(frames, ignore_index=True).astype({"key": "int64", "value": "float64"})

    @staticmethod
    def of_table(table: pd.DataFrame) -> Corrections:
        """Return the effects that `table` wrote."""
        kinds = {str(kind): rows.set_index("key").value for kind, rows in table.groupby("kind")}
        return Corrections(
            kinds["curve"].to_numpy(), kinds["segment"].sort_index().to_numpy(), kinds["start"], kinds["end"]
        )


def _shares(trips: Trips) -> csr_matrix:
    return diags(1.0 / np.maximum(trips.seconds, _LEAST_SECONDS)) @ trips.parts


def fit(trips: Trips, log_duration: Array, use: np.ndarray) -> Corrections:
    """Return the effects that the rides marked in `use` teach (those without a route teach nothing)."""
    rows = np.flatnonzero(use & (trips.seconds > 0))
    base = _curve(trips.seconds[rows])
    curve = np.asarray(np.linalg.lstsq(base, log_duration[rows], rcond=None)[0], dtype=float)
    residual = np.clip(log_duration[rows] - base @ curve, -LARGEST_SURPRISE, LARGEST_SURPRISE)
    blocks, names = [_shares(trips)[rows] / SEGMENT_PENALTY], []
    for zone in (trips.start_zone[rows], trips.end_zone[rows]):
        known, column = np.unique(zone, return_inverse=True)
        ones = np.full(len(rows), 1.0 / ZONE_PENALTY)
        blocks.append(csr_matrix((ones, (np.arange(len(rows)), column)), shape=(len(rows), len(known))))
        names.append(known)
    effects = lsmr(hstack(blocks).tocsr(), residual, damp=1.0, maxiter=60)[0]
    segments, starts = trips.parts.shape[1], len(names[0])
    return Corrections(
        curve,
        effects[:segments] / SEGMENT_PENALTY,
        pd.Series(effects[segments : segments + starts] / ZONE_PENALTY, index=names[0]),
        pd.Series(effects[segments + starts :] / ZONE_PENALTY, index=names[1]),
    )


def out_of_fold(trips: Trips, log_duration: Array, fold: Ints, use: np.ndarray) -> Array:
    """Return each ride's expected log duration by the rides of the other folds of days."""
    value = np.full(len(fold), np.nan)
    for k in range(FOLDS):
        mine = fold == k
        if mine.any() and (use & ~mine).any():
            value[mine] = fit(trips, log_duration, use & ~mine).log_seconds(trips)[mine]
    return value
