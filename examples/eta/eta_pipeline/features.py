"""Features of rides: what their route over the traffic-weighted network is like. Used in training, validation, serving.

Nothing here reads a ride's duration or end time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import diags

from eta_pipeline import network as networks
from eta_pipeline.clock import Clock
from eta_pipeline.constants import NO_FOLD
from eta_pipeline.corrections import Trips, zones
from eta_pipeline.geo import bearing, haversine, manhattan
from eta_pipeline.network import LEFT, RIGHT, ROAD_CLASSES, Ints, Network
from eta_pipeline.rides import PLACES
from eta_pipeline.routing import Router
from eta_pipeline.snapping import Snapper
from eta_pipeline.traffic import Traffic

NAMES = (
    *("start_x", "start_y", "end_x", "end_y", "straight_m", "manhattan_m", "heading", "hour", "day_type"),
    *("observed_s", "usual_s", "free_s", "route_m", "off_road_m", "left_turns", "right_turns", "signals", "stops"),
    *(f"{name}_m" for name in ROAD_CLASSES[:-1]),
    *("now_to_usual", "detour", "route_speed", "corrected_log_s", "correction"),
)
"""The model's features, in its order. Units by suffix: _m metres, _s seconds, _x and _y metres east and north."""


@dataclass(frozen=True)
class World:
    """All that a ride is described with."""

    network: Network
    traffic: Traffic
    clock: Clock
    router: Router

    @staticmethod
    def of(segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame, clock: Clock) -> World:
        """Return the world of the pipeline's tables."""
        network, traffic = networks.build(segments), Traffic.of(paces, factors)
        return World(network, traffic, clock, Router(network, traffic.usual_seconds(network), Snapper(network)))


def describe(rides: pd.DataFrame, world: World, without: Ints | None = None) -> tuple[pd.DataFrame, Trips]:
    """Return features of rides but for the last two (of the corrections), and what the corrections are fitted on.

    `rides` has start_ts and the four coordinates. `without` is the fold left out of the traffic, for each ride.
    Rides whose ends are off the roads have NaN where a route is needed.
    """
    net = world.network
    ends = [rides[c].to_numpy(dtype=float) for c in PLACES]
    ts = rides.start_ts.to_numpy()
    routes = world.router.routes(*ends)
    fold = np.full(len(rides), NO_FOLD) if without is None else without
    now, usual = world.traffic.route_seconds(net, routes.matrix, ts, world.clock, fold)
    start_x, start_y = net.projection.xy(ends[0], ends[1])
    end_x, end_y = net.projection.xy(ends[2], ends[3])
    straight = haversine(*ends)
    plain = {
        "start_x": start_x,
        "start_y": start_y,
        "end_x": end_x,
        "end_y": end_y,
        "straight_m": straight,
        "manhattan_m": manhattan(*ends),
        "heading": bearing(*ends),
        "hour": world.clock.hour(ts),
        "day_type": world.clock.day_type(ts),
    }
    parts = net.segments.parts.to_numpy()
    metres = routes.matrix @ net.length_m
    of_route = {
        "observed_s": now,
        "usual_s": usual,
        "free_s": routes.matrix @ net.free_seconds,
        "route_m": metres,
        "off_road_m": routes.off_road_m,
        "left_turns": routes.turns[:, LEFT],
        "right_turns": routes.turns[:, RIGHT],
        "signals": routes.matrix @ (net.segments.signal.to_numpy() / parts),
        "stops": routes.matrix @ (net.segments["stop"].to_numpy() / parts),
        **{f"{name}_m": routes.matrix @ (net.length_m * (net.road_class == i)) for i, name in enumerate(ROAD_CLASSES)},
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        of_route |= {"now_to_usual": now / usual, "detour": metres / straight, "route_speed": metres / now}
    table = pd.DataFrame({k: np.where(routes.found, v, np.nan) for k, v in of_route.items()})
    table = pd.DataFrame(plain).join(table).astype(float).replace([np.inf, -np.inf], np.nan)
    trips = Trips(
        np.where(routes.found, now, 0.0),
        (routes.matrix @ diags(world.traffic.usual_seconds(net))).tocsr(),
        zones(net, ends[0], ends[1]),
        zones(net, ends[2], ends[3]),
    )
    return table, trips


def complete(table: pd.DataFrame, corrected_log_s: np.ndarray) -> pd.DataFrame:
    """Return the features in the model's order, with those of the corrections."""
    with np.errstate(divide="ignore", invalid="ignore"):
        correction = corrected_log_s - np.log(table.observed_s.to_numpy())
    correction = np.where(np.isfinite(correction), correction, np.nan)
    return table.assign(corrected_log_s=corrected_log_s, correction=correction)[list(NAMES)]
