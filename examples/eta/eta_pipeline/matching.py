"""From two consecutive positions of a vehicle to the segments it drove and the seconds it spent on each.

For each pair every choice of a segment near the first and one near the second position is weighed, by the distance of
the positions, the heading, and how much longer the way along the roads is than the straight line. That is the form of
Newson and Krumm, "Hidden Markov Map Matching Through Noise and Sparseness" (2009), for chains of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eta_pipeline.geo import Array, bearing, haversine, turn_angle
from eta_pipeline.network import Ints, Network, shortest
from eta_pipeline.snapping import Candidates, Snapper

MIN_SECONDS, MAX_SECONDS = 10, 100
MIN_METRES = 40.0
MAX_SPEED = 30.0
CHOICES = 4
MATCH_METRES = 60.0
REACH_SECONDS = 150.0
POSITION_ERROR_M = 12.0
DETOUR_M = 40.0
AGAINST_HEADING = 2.0
"""Added to the cost of a segment that points against the straight way of the pair (more than 100 degrees off)."""


@dataclass(frozen=True)
class Reach:
    """Shortest ways, by free-flow time, from every segment to those within reach; sorted by key = from * size + to."""

    key: Ints
    before: Ints
    metres: Array
    size: int

    def find(self, start: Ints, end: Ints) -> tuple[Ints, np.ndarray]:
        """Return the rows of the ways from start to end, and which of them exist."""
        wanted = start * self.size + end
        row = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
        return row, self.key[row] == wanted


def reach(network: Network, seconds: Array, limit: float = REACH_SECONDS, chunk: int = 500) -> Reach:
    """Return the ways of at most `limit` seconds between segments (start of the first to start of the last)."""
    graph = network.graph(seconds)
    keys, befores, metres = [], [], []
    for first in range(0, network.size, chunk):
        sources = np.arange(first, min(first + chunk, network.size))
        costs, before = shortest(graph, sources, limit)
        row, to = np.nonzero(np.isfinite(costs))
        order = np.lexsort((costs[row, to], row))
        row, to = row[order], to[order]
        keys.append(sources[row] * network.size + to)
        befores.append(before[row, to])
        metres.append(_lengths(network, row, to, before[row, to], len(sources)))
    key, before_all, metres_all = np.concatenate(keys), np.concatenate(befores), np.concatenate(metres)
    order = np.argsort(key, kind="stable")
    return Reach(key[order], before_all[order], metres_all[order], network.size)


def _lengths(network: Network, row: Ints, to: Ints, before: Ints, sources: int) -> Array:
    """Return the metres of each way, by pointer doubling over the trees of predecessors."""
    place = np.full((sources, network.size), -1, dtype=np.int64)
    place[row, to] = np.arange(len(row))
    up = np.where(before >= 0, place[row, np.maximum(before, 0)], -1)
    total = np.where(before >= 0, network.length_m[np.maximum(before, 0)], 0.0)
    while (up >= 0).any():
        total = total + np.where(up >= 0, total[up], 0.0)
        up = np.where(up >= 0, up[up], -1)
    return np.asarray(total)


class Matcher:
    """Matches pairs of positions to segments; made once per worker."""

    def __init__(self, network: Network, seconds: Array | None = None) -> None:
        """`seconds`: what is known of each segment's time, to share a pair's seconds out (default: free flow)."""
        self._network = network
        self._snapper = Snapper(network)
        self._reach = reach(network, network.free_seconds)
        self._seconds = network.free_seconds if seconds is None else seconds

    def match(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Return which segments each pair drove.

        `pairs` has seconds, lat_a, lon_a, lat_b, lon_b. The result has a row per pair and segment: pair (the place in
        `pairs`), segment_id, share (of the segment's length that was driven), seconds. Pairs that are too near or too
        far apart in time or place, off the roads, or faster than 30 m/s are left out.
        """
        columns = [pairs[c].to_numpy(dtype=float) for c in ("lat_a", "lon_a", "lat_b", "lon_b")]
        elapsed, straight = pairs.seconds.to_numpy(dtype=float), haversine(*columns)
        usable = (elapsed >= MIN_SECONDS) & (elapsed <= MAX_SECONDS)
        usable &= (straight >= MIN_METRES) & (straight <= MAX_SPEED * elapsed)
        index = np.flatnonzero(usable)
        if not len(index):
            return pd.DataFrame({"pair": [], "segment_id": [], "share": [], "seconds": []}).astype(_TYPES)
        lat_a, lon_a, lat_b, lon_b = (v[index] for v in columns)
        heading = bearing(lat_a, lon_a, lat_b, lon_b)
        a = self._snapper.near(lat_a, lon_a, CHOICES, MATCH_METRES)
        b = self._snapper.near(lat_b, lon_b, CHOICES, MATCH_METRES)
        start, start_share, end, end_share, fits = self._choose(a, b, heading, straight[index], elapsed[index])
        keep = np.flatnonzero(fits)
        rows = self._unroll(start[keep], start_share[keep], end[keep], end_share[keep])
        return self._shared_out(rows, index[keep], elapsed[index][keep])

    def _choose(
        self, a: Candidates, b: Candidates, heading: Array, straight: Array, elapsed: Array
    ) -> tuple[Ints, Array, Ints, Array, np.ndarray]:
        """Return the best (segment, share) of both ends of each pair, and whether any choice fits."""
        n = len(heading)
        best = np.full(n, np.inf)
        start, end = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        start_share, end_share = np.zeros(n), np.zeros(n)
        cost_a, cost_b = (self._nearness(c, heading) for c in (a, b))
        for i in range(a.segment.shape[1]):
            for j in range(b.segment.shape[1]):
                s, t = np.maximum(a.segment[:, i], 0), np.maximum(b.segment[:, j], 0)
                row, exists = self._reach.find(s, t)
                driven = self._reach.metres[row] + b.share[:, j] * self._network.length_m[t]
                driven = driven - a.share[:, i] * self._network.length_m[s]
                ahead = exists & (driven > 0) & (driven <= MAX_SPEED * elapsed)
                cost = cost_a[:, i] + cost_b[:, j] + np.abs(driven - straight) / DETOUR_M
                better = ahead & (cost < best)
                best[better] = cost[better]
                start[better], end[better] = s[better], t[better]
                start_share[better], end_share[better] = a.share[better, i], b.share[better, j]
        return start, start_share, end, end_share, np.isfinite(best)

    def _nearness(self, candidates: Candidates, heading: Array) -> Array:
        pointing = self._network.segments.bearing.to_numpy()[np.maximum(candidates.segment, 0)]
        against = np.abs(turn_angle(heading[:, None], pointing)) > 100.0
        metres = np.where(candidates.segment < 0, np.inf, candidates.metres)
        return np.asarray(0.5 * (metres / POSITION_ERROR_M) ** 2 + AGAINST_HEADING * against)

    def _unroll(self, start: Ints, start_share: Array, end: Ints, end_share: Array) -> pd.DataFrame:
        """Return a row per pair and segment of the way: pair (0..n-1), segment_id, share."""
        pair = np.arange(len(start))
        pairs, segments, shares = [], [], []
        at, upto = end, end_share
        while len(pair):
            first = at == start[pair]
            pairs.append(pair)
            segments.append(at)
            shares.append(upto - np.where(first, start_share[pair], 0.0))
            pair, at = pair[~first], at[~first]
            row, _ = self._reach.find(start[pair], at)
            at, upto = self._reach.before[row], np.ones(len(pair))
        return pd.DataFrame(
            {"pair": np.concatenate(pairs), "segment_id": np.concatenate(segments), "share": np.concatenate(shares)}
        )

    def _shared_out(self, rows: pd.DataFrame, index: Ints, elapsed: Array) -> pd.DataFrame:
        """Return the rows with the pair's seconds shared out by what is known of the segments' times."""
        pair = rows.pair.to_numpy()
        expected = rows.share.to_numpy() * self._seconds[rows.segment_id.to_numpy()]
        total = np.bincount(pair, weights=expected, minlength=len(index))
        rows["seconds"] = elapsed[pair] * expected / np.maximum(total[pair], 1e-9)
        rows["pair"] = index[pair]
        return rows.astype(_TYPES)


_TYPES = {"pair": "int64", "segment_id": "int64", "share": "float64", "seconds": "float64"}
