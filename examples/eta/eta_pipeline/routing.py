"""Quickest routes for many trips at once, kept as a sparse matrix: trips x segments, share of each segment driven.

What a route takes under any traffic is then one product of that matrix with the segments' seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from eta_pipeline.geo import Array
from eta_pipeline.network import Ints, Network, shortest
from eta_pipeline.snapping import Snapper

CHOICES = 4
OFF_ROAD_SECONDS_PER_METRE = 0.5
"""What a metre between the given place and the road counts, when choosing the road (and the side of it)."""

_CHUNK = 400


@dataclass(frozen=True)
class Routes:
    """Routes of n trips. Trips without one (off the roads) have an empty row and `found` False."""

    matrix: csr_matrix
    turns: Ints
    """Shape (n, 4): turns of each kind, see `network.TURN_SECONDS`."""
    off_road_m: Array
    found: np.ndarray


@dataclass(frozen=True)
class _Ends:
    start: Ints
    start_share: Array
    end: Ints
    end_share: Array
    off_road_m: Array
    cost: Array


@dataclass(frozen=True)
class _Step:
    """One segment of many trips' routes, `number` steps before their ends; `beyond` is the one after (-1: none)."""

    trip: Ints
    segment: Ints
    begin: Array
    finish: Array
    beyond: Ints
    number: int


_COLUMNS = ("trip", "segment", "begin", "finish")


class Router:
    """Routes by the given seconds per segment; made once, used for many batches."""

    def __init__(self, network: Network, seconds: Array, snapper: Snapper | None = None) -> None:
        self._network, self._seconds = network, np.asarray(seconds, dtype=float)
        self._snapper = snapper or Snapper(network)
        self._graph = network.graph(self._seconds)
        self._arc_key = network.arc_from * network.size + network.arc_to

    def routes(self, lat_a: Array, lon_a: Array, lat_b: Array, lon_b: Array) -> Routes:
        """Return the quickest routes between points in degrees (arrays of n)."""
        ends = self._choose(lat_a, lon_a, lat_b, lon_b)
        found = np.isfinite(ends.cost)
        shape = (len(found), self._network.size)
        turns = np.zeros((len(found), 4), dtype=np.int64)
        steps = list(self._unroll(ends, found))
        if not steps:
            return Routes(csr_matrix(shape), turns, ends.off_road_m, found)
        trip, segment, begin, finish = (np.concatenate([getattr(s, c) for s in steps]) for c in _COLUMNS)
        for step in steps:
            self._count_turns(turns, step)
        matrix = csr_matrix((finish - begin, (trip, segment)), shape=shape)
        return Routes(matrix, turns, ends.off_road_m, found)

    def paths(self, lat_a: Array, lon_a: Array, lat_b: Array, lon_b: Array) -> pd.DataFrame:
        """Return the quickest routes in driving order: trip, segment, and from which share to which it is driven."""
        ends = self._choose(lat_a, lon_a, lat_b, lon_b)
        steps = list(self._unroll(ends, np.isfinite(ends.cost)))
        if not steps:
            return pd.DataFrame({c: np.zeros(0, np.int64 if c in ("trip", "segment") else float) for c in _COLUMNS})
        columns = {c: np.concatenate([getattr(s, c) for s in steps]) for c in _COLUMNS}
        backwards = np.concatenate([np.full(len(s.trip), -s.number) for s in steps])
        order = np.lexsort((backwards, columns["trip"]))
        return pd.DataFrame({name: column[order] for name, column in columns.items()})

    def _unroll(self, ends: _Ends, found: np.ndarray) -> Iterator[_Step]:
        """Yield the steps of all trips from their ends backwards."""
        for sources in self._chunks(ends.start[found]):
            _, before = shortest(self._graph, sources)
            trip = np.flatnonzero(found & np.isin(ends.start, sources))
            row = np.searchsorted(sources, ends.start[trip])
            at, upto, beyond = ends.end[trip], ends.end_share[trip], np.full(len(trip), -1)
            number = 0
            while len(trip):
                first = at == ends.start[trip]
                begin = np.where(first, ends.start_share[trip], 0.0)
                yield _Step(trip, at, begin, upto, beyond, number)
                trip, row, beyond, at = trip[~first], row[~first], at[~first], at[~first]
                at, upto, number = before[row, at], np.ones(len(trip)), number + 1

    def _chunks(self, sources: Ints) -> list[Ints]:
        unique = np.unique(sources)
        return [unique[i : i + _CHUNK] for i in range(0, len(unique), _CHUNK)]

    def _choose(self, lat_a: Array, lon_a: Array, lat_b: Array, lon_b: Array) -> _Ends:
        """Return for each trip the roads at its ends that make it quickest."""
        a = self._snapper.near(lat_a, lon_a, CHOICES)
        b = self._snapper.near(lat_b, lon_b, CHOICES)
        n = len(lat_a)
        best = np.full(n, np.inf)
        pick = np.zeros((n, 2), dtype=np.int64)
        for sources in self._chunks(a.segment[a.segment >= 0]):
            costs, _ = shortest(self._graph, sources)
            for i in range(CHOICES):
                trip = np.flatnonzero(np.isin(a.segment[:, i], sources))
                s = a.segment[trip, i]
                left = a.share[trip, i] * self._seconds[s]
                for j in range(CHOICES):
                    t = np.maximum(b.segment[trip, j], 0)
                    driven = costs[np.searchsorted(sources, s), t] - left + b.share[trip, j] * self._seconds[t]
                    cost = driven + OFF_ROAD_SECONDS_PER_METRE * (a.metres[trip, i] + b.metres[trip, j])
                    better = (b.segment[trip, j] >= 0) & (driven > 0) & (cost < best[trip])
                    best[trip[better]] = cost[better]
                    pick[trip[better]] = (i, j)
        row = np.arange(n)
        of_a, of_b = (row, pick[:, 0]), (row, pick[:, 1])
        metres = np.where(np.isfinite(best), a.metres[of_a] + b.metres[of_b], 0.0)
        return _Ends(a.segment[of_a], a.share[of_a], b.segment[of_b], b.share[of_b], metres, best)

    def _count_turns(self, turns: Ints, step: _Step) -> None:
        onward = step.beyond >= 0
        key = step.segment[onward] * self._network.size + step.beyond[onward]
        kind = self._network.arc_turn[np.searchsorted(self._arc_key, key)]
        np.add.at(turns, (step.trip[onward], kind), 1)
