"""The segments as a graph for routing: its vertices are segments, its arcs the turns from one to the next.

With segments as vertices a turn can cost time and a U-turn can be forbidden, which a graph of crossings cannot say.
A position is (segment, share of it already driven).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from eta_pipeline.geo import Array, Projection, turn_angle

Ints = npt.NDArray[np.int64]

ROAD_CLASSES = ("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street")
LEFT, RIGHT, U_TURN = 1, 2, 3
TURN_SECONDS = (0.0, 6.0, 2.0, 45.0)
"""Assumed cost of going on, turning left, turning right and turning back when choosing a route."""

_BEND = 45.0
_BACK = 150.0


@dataclass(frozen=True)
class Network:
    """Segments and turns. Arrays over segments, except `arc_*`: over turns, sorted by (from, to)."""

    segments: pd.DataFrame
    length_m: Array
    free_seconds: Array
    road_class: Ints
    projection: Projection
    ax: Array
    ay: Array
    bx: Array
    by: Array
    arc_from: Ints
    arc_to: Ints
    arc_turn: Ints

    @property
    def size(self) -> int:
        """Number of segments."""
        return len(self.length_m)

    def graph(self, seconds: Array) -> csr_matrix:
        """Return the arc costs: from the start of one segment to the start of the next, seconds."""
        costs = seconds[self.arc_from] + np.asarray(TURN_SECONDS)[self.arc_turn]
        return csr_matrix((costs, (self.arc_from, self.arc_to)), shape=(self.size, self.size))


def build(segments: pd.DataFrame) -> Network:
    """Return the graph of the segments (as `segments.chop` makes them)."""
    table = segments.sort_values("segment_id", ignore_index=True)
    projection = Projection(float(table.lat_a.mean()), float(table.lon_a.mean()))
    ax, ay = projection.xy(table.lat_a, table.lon_a)
    bx, by = projection.xy(table.lat_b, table.lon_b)
    arc_from, arc_to = _arcs(table)
    bearing, length = table.bearing.to_numpy(), table.length_m.to_numpy()
    same_link = table.link_id.to_numpy()[arc_from] == table.link_id.to_numpy()[arc_to]
    codes = pd.Categorical(table.road_class, categories=list(ROAD_CLASSES)).codes.astype(np.int64)
    return Network(
        segments=table,
        length_m=length,
        free_seconds=length / (table.speed_kph.to_numpy() / 3.6),
        road_class=codes,
        projection=projection,
        ax=ax,
        ay=ay,
        bx=bx,
        by=by,
        arc_from=arc_from,
        arc_to=arc_to,
        arc_turn=_turns(turn_angle(bearing[arc_from], bearing[arc_to]), same_link),
    )


def _arcs(table: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return which segment leads to which: the next part of the link, or the first part of any link that leaves."""
    ids = table.segment_id.to_numpy()
    inner = table.part.to_numpy() < table.parts.to_numpy() - 1
    last = table.loc[~inner, ["segment_id", "to_node", "from_node", "way_id"]]
    first = table.loc[table.part == 0, ["segment_id", "from_node", "to_node", "way_id"]]
    pairs = last.merge(first, left_on="to_node", right_on="from_node", suffixes=("", "_next"))
    back = (pairs.way_id == pairs.way_id_next) & (pairs.from_node == pairs.to_node_next)
    choices = pairs.groupby("segment_id").segment_id.transform("size")
    pairs = pairs[~back | (choices == 1)]
    arc_from = np.concatenate([ids[inner], pairs.segment_id.to_numpy()]).astype(np.int64)
    arc_to = np.concatenate([ids[inner] + 1, pairs.segment_id_next.to_numpy()]).astype(np.int64)
    order = np.lexsort((arc_to, arc_from))
    return arc_from[order], arc_to[order]


def _turns(angle: Array, same_link: npt.NDArray[np.bool_]) -> Ints:
    turn = np.where(np.abs(angle) >= _BACK, U_TURN, np.where(angle <= -_BEND, LEFT, np.where(angle >= _BEND, RIGHT, 0)))
    return np.where(same_link, 0, turn).astype(np.int64)


def shortest(graph: csr_matrix, sources: Ints, limit: float = np.inf) -> tuple[Array, Ints]:
    """Return costs and predecessors, shape (sources, segments); inf and -9999 where not reached within the limit."""
    costs, before = dijkstra(graph, directed=True, indices=sources, return_predecessors=True, limit=limit)
    return np.asarray(costs), np.asarray(before).astype(np.int64)
