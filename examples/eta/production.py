"""The pipeline of eta.py in production: what it makes is published, and each part starts when it has to.

    data      whoever collects positions and rides            ── on demand
    history   the historical layer, of all days but the last  ── weekly, and when there is a new map
    traffic   the last days on top of the newest history      ── every 10 minutes
    model     trained, validated, reported                    ── when there is a new map
    live      the newest model with the traffic of now        ── when there is new traffic

Each is an artifact of this name, with the city as its key; the roads come from the map team. The steps are the tasks of eta.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from eta import Eta, choose_days, eta, extract_roads, find_data, historical_layer, make_segments, traffic_layer
from eta_pipeline.clock import Clock

from wingbeat import Artifact, Cron, Directory, File, FixedRate, LaunchPlan, Newest, OnArtifact, task, workflow

CITY, ZONE = "helsinki", "Europe/Helsinki"
MAX_SEGMENT_M = 120.0
ROADS = "maps/production/roads"

HERE = {"city": CITY}
BY_CITY = {"city": "city"}


@dataclass(frozen=True)
class Past:
    """The historical layer, with the segments of the map that it is about."""

    segments: pd.DataFrame
    cells: pd.DataFrame
    paces: pd.DataFrame
    factors: pd.DataFrame


@dataclass(frozen=True)
class Traffic:
    """The traffic layer, with the segments of the map that it is about."""

    segments: pd.DataFrame
    paces: pd.DataFrame
    factors: pd.DataFrame
    clock: Clock


@task(cache=True)
def keep_past(segments: pd.DataFrame, cells: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame) -> Past:
    """Put together what belongs together, so that it is published as one."""
    return Past(segments, cells, paces, factors)


@task(cache=True)
def keep_traffic(segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame, clock: Clock) -> Traffic:
    """Put together what belongs together, so that it is published as one."""
    return Traffic(segments, paces, factors, clock)


@task(cache=True)
def refresh(model: Directory, traffic: Traffic) -> Directory:
    """Return the model with the traffic of now; as it is, while the traffic is still that of another map."""
    from eta_pipeline.serving import with_traffic

    with_traffic(model.path(), traffic.segments, traffic.paces, traffic.factors, Path("live"))
    return Directory("live")


@workflow(publishes={"o0": Artifact("data", partitions=BY_CITY)})
def collect(
    city: str, data: Directory | None = None, seed: int = 7, days: int = 14, rides_a_day: int = 2_000
) -> Directory:
    """Hand in positions and rides: all that follows works on what was handed in last.

    Args:
        city: Where they are from.
        data: A folder laid out as README.md says. Without one, rides are SIMULATED over real roads of Helsinki.
        seed: Of the simulated rides.
        days: How many days are simulated.
        rides_a_day: How many rides are simulated on each.
    """
    return find_data(data=data, seed=seed, days=days, rides_a_day=rides_a_day)


@workflow(publishes={"o0": Artifact("history", partitions=BY_CITY)})
def history(city: str, roads: File, data: Directory, recent_days: int = 7, holiday_calendar: str = "none") -> Past:
    """What weeks of positions say of every segment and hour; the last `recent_days` are left to the traffic."""
    days = choose_days(data=data, recent_days=recent_days, holiday_calendar=holiday_calendar)
    segments = make_segments(links=extract_roads(osm=roads), max_length_m=MAX_SEGMENT_M)
    layer = historical_layer(locations=days.history, segments=segments, clock=days.clock, until=days.until)
    return keep_past(segments=segments, cells=layer.cells, paces=layer.paces, factors=layer.factors)


@workflow(publishes={"o0": Artifact("traffic", partitions=BY_CITY)})
def traffic(city: str, history: Past, data: Directory, recent_days: int = 7, holiday_calendar: str = "none") -> Traffic:
    """The positions of the last `recent_days` on top of the historical layer."""
    days = choose_days(data=data, recent_days=recent_days, holiday_calendar=holiday_calendar)
    layer = traffic_layer(
        locations=days.recent,
        segments=history.segments,
        clock=days.clock,
        until=days.until,
        history=history.cells,
        paces=history.paces,
        factors=history.factors,
    )
    return keep_traffic(segments=history.segments, paces=layer.paces, factors=layer.factors, clock=days.clock)


@workflow(publishes={"model": Artifact("model", partitions=BY_CITY), "report": Artifact("report", partitions=BY_CITY)})
def retrain(city: str, roads: File, data: Directory, recent_days: int = 7, holiday_calendar: str = "none") -> Eta:
    """The whole pipeline of eta.py over the roads of the map team: its layers hold out the rides that validate."""
    return eta(
        data=data,
        roads=roads,
        recent_days=recent_days,
        max_segment_m=MAX_SEGMENT_M,
        holiday_calendar=holiday_calendar,
    )


@workflow(publishes={"o0": Artifact("live", partitions=BY_CITY)})
def go_live(city: str, model: Directory, traffic: Traffic) -> Directory:
    """What answers now."""
    return refresh(model=model, traffic=traffic)


NEW_MAP = OnArtifact(ROADS, partitions=HERE, input="roads")
DATA = Newest("eta/production/data", partitions=HERE)
ROADS_AND_DATA = {"roads": Newest(ROADS, partitions=HERE), "data": DATA}

train_on_new_map = LaunchPlan(
    retrain,
    name="train-on-new-map",
    inputs=ROADS_AND_DATA,
    fixed=HERE,
    trigger=NEW_MAP,
    doc="A model for each map; also by hand, for the newest map.",
)
history_on_new_map = LaunchPlan(
    history,
    name="history-on-new-map",
    inputs=ROADS_AND_DATA,
    fixed=HERE,
    trigger=NEW_MAP,
    doc="The historical layer of a new map: its segments are others.",
)
history_weekly = LaunchPlan(
    history,
    name="history-weekly",
    inputs=ROADS_AND_DATA,
    fixed=HERE,
    trigger=Cron("0 3 * * MON", timezone=ZONE, catch_up="last"),
    doc="The historical layer, on Monday at three in the morning of the city.",
)
traffic_10min = LaunchPlan(
    traffic,
    name="traffic-10min",
    inputs={"history": Newest("eta/production/history", partitions=HERE), "data": DATA},
    fixed=HERE,
    trigger=FixedRate("10m", catch_up="none", overlap="skip"),
    doc="The traffic layer; while one is under way, no other starts.",
)
live_on_traffic = LaunchPlan(
    go_live,
    name="live-on-traffic",
    inputs={
        "model": Newest("eta/production/model", partitions=HERE),
        "traffic": Newest("eta/production/traffic", partitions=HERE),
    },
    fixed=HERE,
    trigger=OnArtifact("eta/production/traffic", partitions=HERE, input="traffic"),
    doc="The newest model answers by the newest traffic.",
)
