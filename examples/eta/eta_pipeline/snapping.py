"""Which segments are near a point: a grid of small cells, each with its nearest segments, then exact distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eta_pipeline.geo import Array
from eta_pipeline.network import Ints, Network

CELL_M = 15.0
REACH_M = 120.0
PER_CELL = 12


@dataclass(frozen=True)
class Candidates:
    """The nearest segments of each point, nearest first; shape (points, k). Unused places: segment -1, metres inf."""

    segment: Ints
    metres: Array
    share: Array


class Snapper:
    """Finds the segments within reach of points. Building it costs a second for a city's centre."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._x0 = float(min(network.ax.min(), network.bx.min())) - REACH_M
        self._y0 = float(min(network.ay.min(), network.by.min())) - REACH_M
        self._nx = int((max(network.ax.max(), network.bx.max()) + REACH_M - self._x0) // CELL_M) + 1
        self._ny = int((max(network.ay.max(), network.by.max()) + REACH_M - self._y0) // CELL_M) + 1
        self._cells = self._fill()

    def _fill(self) -> Ints:
        """Return for each cell its nearest segments by the distance from the cell's centre, -1 where there are none."""
        net = self._network
        cells, segments, metres = [], [], []
        for s in range(net.size):
            low_x, high_x = sorted((net.ax[s], net.bx[s]))
            low_y, high_y = sorted((net.ay[s], net.by[s]))
            i = np.arange(int((low_x - REACH_M - self._x0) // CELL_M), int((high_x + REACH_M - self._x0) // CELL_M) + 1)
            j = np.arange(int((low_y - REACH_M - self._y0) // CELL_M), int((high_y + REACH_M - self._y0) // CELL_M) + 1)
            i, j = i[(i >= 0) & (i < self._nx)], j[(j >= 0) & (j < self._ny)]
            x, y = np.meshgrid(self._x0 + (i + 0.5) * CELL_M, self._y0 + (j + 0.5) * CELL_M)
            away, _ = _distance(net, np.full(x.shape, s), x, y)
            near = away <= REACH_M + CELL_M
            cells.append((j[:, None] * self._nx + i[None, :])[near])
            segments.append(np.full(int(near.sum()), s))
            metres.append(away[near])
        cell, segment, away = np.concatenate(cells), np.concatenate(segments), np.concatenate(metres)
        order = np.lexsort((segment, away, cell))
        cell, segment = cell[order], segment[order]
        starts = np.r_[0, np.flatnonzero(np.diff(cell)) + 1]
        rank = np.arange(len(cell)) - np.repeat(starts, np.diff(np.r_[starts, len(cell)]))
        table = np.full((self._nx * self._ny, PER_CELL), -1, dtype=np.int64)
        table[cell[rank < PER_CELL], rank[rank < PER_CELL]] = segment[rank < PER_CELL]
        return table

    def near(self, lat: Array, lon: Array, k: int, reach_m: float = REACH_M) -> Candidates:
        """Return up to k segments within `reach_m` (at most 120 m) of each point, nearest first."""
        x, y = self._network.projection.xy(lat, lon)
        i = ((x - self._x0) // CELL_M).astype(np.int64)
        j = ((y - self._y0) // CELL_M).astype(np.int64)
        inside = (i >= 0) & (i < self._nx) & (j >= 0) & (j < self._ny)
        segment = np.full((len(x), PER_CELL), -1, dtype=np.int64)
        segment[inside] = self._cells[j[inside] * self._nx + i[inside]]
        metres, share = _distance(self._network, np.maximum(segment, 0), x[:, None], y[:, None])
        metres = np.where((segment < 0) | (metres > reach_m), np.inf, metres)
        order = np.argsort(metres, axis=1, kind="stable")[:, :k]
        segment, metres = np.take_along_axis(segment, order, axis=1), np.take_along_axis(metres, order, axis=1)
        return Candidates(np.where(np.isinf(metres), -1, segment), metres, np.take_along_axis(share, order, axis=1))


def _distance(network: Network, segment: Ints, x: Array, y: Array) -> tuple[Array, Array]:
    """Return the metres from points to segments, and the share of the segment at the nearest place on it."""
    ax, ay = network.ax[segment], network.ay[segment]
    dx, dy = network.bx[segment] - ax, network.by[segment] - ay
    square = np.maximum(dx * dx + dy * dy, 1e-9)
    share = np.clip(((x - ax) * dx + (y - ay) * dy) / square, 0.0, 1.0)
    return np.hypot(x - ax - share * dx, y - ay - share * dy), share
