"""The traffic layer in memory: seconds for every segment at every time of the week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from eta_pipeline.clock import BUCKETS, SLOTS, Clock
from eta_pipeline.constants import FOLDS, NO_FOLD
from eta_pipeline.geo import Array
from eta_pipeline.network import Ints, Network


@dataclass(frozen=True)
class Traffic:
    """Paces in s/m; the first axis is the fold left out, the last one (index NO_FOLD) leaves out nothing."""

    pace: Array
    """Shape (FOLDS + 1, segments): all hours together."""
    deviation: Array
    """Shape (FOLDS + 1, segments, BUCKETS)."""
    factor: Array
    """Shape (FOLDS + 1, SLOTS)."""

    @staticmethod
    def of(paces: pd.DataFrame, factors: pd.DataFrame) -> Traffic:
        """Return the layer of the tables that `speeds.smooth` makes; those with NO_FOLD only stand for every fold.

        Raises:
            ValueError: rows are missing.
        """
        folds = [*range(FOLDS), NO_FOLD] if (paces.without != NO_FOLD).any() else [NO_FOLD]
        size = int(paces.segment_id.max()) + 1
        if len(paces) != len(folds) * size * BUCKETS or len(factors) != len(folds) * SLOTS:
            raise ValueError(f"the traffic tables are not whole: {len(paces)} paces, {len(factors)} factors")
        paces = paces.sort_values(["without", "segment_id", "bucket"], kind="stable")
        factors = factors.sort_values(["without", "slot"], kind="stable")
        shape = (len(folds), size, BUCKETS)
        # NO_FOLD is the smallest and so comes first; the roll puts it last, where index -1 finds it.
        pace = np.roll(paces.pace.to_numpy().reshape(shape)[:, :, 0], -1, axis=0)
        deviation = np.roll(paces.deviation.to_numpy().reshape(shape), -1, axis=0)
        factor = np.roll(factors.factor.to_numpy().reshape(len(folds), SLOTS), -1, axis=0)
        return Traffic(pace, deviation, factor)

    def usual_seconds(self, network: Network) -> Array:
        """Return each segment's seconds, all hours together."""
        return np.asarray(network.length_m * self.pace[NO_FOLD])

    def route_seconds(
        self, network: Network, matrix: csr_matrix, ts: Ints, clock: Clock, without: Ints
    ) -> tuple[Array, Array]:
        """Return what each route (row of `matrix`) takes: at the time `ts` of its start, and over all hours.

        `without` is the fold to leave out, for each route (NO_FOLD: none).
        """
        slot, bucket = clock.slot(ts), clock.bucket(ts)
        now, usual = np.zeros(len(ts)), np.zeros(len(ts))
        group = without * BUCKETS + bucket
        for key in np.unique(group):
            rows = np.flatnonzero(group == key)
            fold, b = int(without[rows[0]]), int(bucket[rows[0]])
            seconds = network.length_m * self.pace[fold]
            part = matrix[rows]
            usual[rows] = part @ seconds
            now[rows] = (part @ (seconds * self.deviation[fold, :, b])) * self.factor[fold, slot[rows]]
        return now, usual
