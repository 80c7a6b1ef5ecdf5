"""Lyft's ETA pipeline: from roads, vehicle positions and rides to a model of how long a ride takes.

`wingbeat run examples/eta/eta.py eta` on simulated rides over real roads; `--data DIR` on real data. See README.md.
The tasks here are thin; each calls one module of `eta_pipeline`, imported where it is used, so that a change to one
step leaves the other steps cached.
"""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from eta_cnn import learn
from eta_pipeline.clock import Clock
from eta_pipeline.facts import Facts
from eta_pipeline.metrics import Metrics
from eta_pipeline.places import Place
from eta_pipeline.trials import Params, Trial
from pyspark.sql import DataFrame, SparkSession

from wingbeat import Directory, File, cond, task, workflow
from wingbeat_spark import Spark

WAVES, WAVE = 3, 2
EPOCHS = 60
SPARK = Spark(
    cores=2,
    conf={
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",  # each builds a matcher of its own
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "200000",
    },
)


class Chosen(NamedTuple):
    """The inputs of a run: days of positions as history and as recent, rides to train and to validate on."""

    osm: File
    history: Directory
    recent: Directory
    until: int
    clock: Clock
    training: pd.DataFrame
    validation: pd.DataFrame
    facts: Facts


class Days(NamedTuple):
    """All days of positions, as history and as recent: nothing is held out."""

    history: Directory
    recent: Directory
    until: int
    clock: Clock


class Smoothed(NamedTuple):
    """Paces of segments by part of the day, and factors of the city by hour of the week."""

    paces: DataFrame
    factors: DataFrame


class History(NamedTuple):
    """What was driven on the days of history, and what follows from it."""

    cells: DataFrame
    paces: DataFrame
    factors: DataFrame


class Prepared(NamedTuple):
    """Described training rides with durations, and the corrections that they teach."""

    described: pd.DataFrame
    corrections: pd.DataFrame


class Validation(NamedTuple):
    """Metrics, and the error of each clean ride."""

    metrics: Metrics
    errors: pd.DataFrame


class Eta(NamedTuple):
    """What the pipeline is for."""

    model: Directory
    metrics: Metrics
    report: File


@task(cache=True)
def find_data(data: Directory | None, seed: int, days: int = 14, rides_a_day: int = 2_000) -> Directory:
    """Return the given folder of data or, without one, simulated rides over the embedded extract of Helsinki."""
    from eta_pipeline.simulator import simulate

    return data or Directory(simulate(Path("simulated"), seed, days=days, rides_a_day=rides_a_day))


@task(cache=True)
def choose(
    data: Directory,
    roads: File | None,
    osm_place: str,
    osm_date: date | None,
    locations_from: date | None,
    locations_to: date | None,
    validation_from: date | None,
    validation_to: date | None,
    recent_days: int,
    holiday_calendar: str,
) -> Chosen:
    """Select the extract, the days of positions and the rides; refuse ranges that overlap."""
    from eta_pipeline.selection import Ranges, select

    ranges = Ranges(locations_from, locations_to, validation_from, validation_to)
    given = roads and roads.path()
    found = select(data.path(), osm_place, osm_date, ranges, recent_days, holiday_calendar, given)
    return Chosen(
        osm=File(found.extract.file),
        history=_gather("history", found.history),
        recent=_gather("recent", found.recent),
        until=found.periods.until,
        clock=found.clock,
        training=found.training,
        validation=found.validation,
        facts=found.facts,
    )


@task(cache=True)
def choose_days(data: Directory, recent_days: int, holiday_calendar: str) -> Days:
    """Deal all days of positions to history and to recent: for answers from now on, where there is nothing to validate."""
    from eta_pipeline.selection import deal_days

    found = deal_days(data.path(), recent_days, holiday_calendar)
    return Days(_gather("history", found.history), _gather("recent", found.recent), found.until, found.clock)


def _gather(name: str, files: list[Path]) -> Directory:
    folder = Path(name)
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return Directory(folder)


@task(cache=True)
def extract_roads(osm: File) -> pd.DataFrame:
    """Return the drivable road network of an OpenStreetMap file as directed links."""
    from eta_pipeline.roads import find_links

    return find_links(osm.path())


@task(task_config=SPARK, cache=True)
def make_segments(links: DataFrame, max_length_m: float) -> DataFrame:
    """Chop links into straight segments of bounded length."""
    from eta_pipeline.segments import chop

    return chop(links, max_length_m)


@task(task_config=SPARK, cache=True)
def match_locations(
    locations: Directory, segments: DataFrame, clock: Clock, until: int, spark: SparkSession
) -> DataFrame:
    """Return how long vehicles spent on each segment, by day and hour, from their positions before `until`."""
    from eta_pipeline.overlay import cells, read_positions

    return cells(read_positions(spark, locations.path(), until), segments.toPandas(), clock)


@task(task_config=SPARK, cache=True)
def smooth_history(cells: DataFrame, segments: DataFrame) -> Smoothed:
    """Return the smoothed paces of history alone."""
    from eta_pipeline.speeds import smooth

    return Smoothed(*smooth(cells, segments))


@task(task_config=SPARK, cache=True)
def smooth_recent(
    recent: DataFrame, history: DataFrame, paces: DataFrame, factors: DataFrame, segments: DataFrame
) -> Smoothed:
    """Return the paces of history and recent days together, with recent surprises damped."""
    from eta_pipeline.speeds import damp, smooth

    together = history.unionByName(damp(recent, paces, factors))
    return Smoothed(*smooth(together, segments))


@task(cache=True)
def describe_rides(
    training: pd.DataFrame, segments: pd.DataFrame, paces: pd.DataFrame, factors: pd.DataFrame, clock: Clock
) -> Prepared:
    """Describe the training rides by their routes over the traffic-weighted network."""
    from eta_pipeline.training import prepare

    return Prepared(*prepare(training, segments, paces, factors, clock))


@task(cache=True)
def suggest(history: list[Trial], number: int) -> Params:
    """Return the next hyper-parameters to try."""
    from eta_pipeline.search import suggest as ask

    return ask(history, number)


@task(cache=True)
def attempt(described: pd.DataFrame, params: Params) -> Trial:
    """Fit on the earlier training rides, score on the later ones."""
    from eta_pipeline.learning import try_params
    from eta_pipeline.training import split

    return try_params(*split(described), params)


@task(cache=True)
def train(
    described: pd.DataFrame,
    trials: list[Trial],
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    corrections: pd.DataFrame,
    clock: Clock,
) -> Directory:
    """Fit the model on all training rides with the best hyper-parameters, and pack it with all that it needs."""
    from eta_pipeline.learning import fit
    from eta_pipeline.search import best
    from eta_pipeline.serving import save
    from eta_pipeline.training import split

    features, durations, _ = split(described)
    save(Path("model"), fit(features, durations, best(trials)), segments, paces, factors, corrections, clock)
    return Directory("model")


class Routes(NamedTuple):
    """What the convolutional model learns from: routes as sequences, features, the traffic's own estimate, durations."""

    routes: np.ndarray
    features: np.ndarray
    corrected: np.ndarray
    durations: np.ndarray


@task(cache=True)
def describe_routes(
    described: pd.DataFrame,
    training: pd.DataFrame,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    clock: Clock,
) -> Routes:
    """Describe the training rides by what lies along their routes, step by step."""
    from eta_pipeline.training import sequences_of, split

    features, durations, _ = split(described)
    routes = sequences_of(described, training, segments, paces, factors, clock)
    return Routes(routes, features.to_numpy(dtype=float), features.corrected_log_s.to_numpy(dtype=float), durations)


@task(cache=True)
def pack(
    network: File,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    corrections: pd.DataFrame,
    clock: Clock,
) -> Directory:
    """Pack the convolutional model with all that it needs."""
    from eta_pipeline.convolution import Network
    from eta_pipeline.serving import save

    save(Path("model"), Network.load(network.path()), segments, paces, factors, corrections, clock)
    return Directory("model")


@task(cache=True)
def validate(model: Directory, described: pd.DataFrame, validation: pd.DataFrame) -> Validation:
    """Compare the model's answers with the durations that really happened."""
    from eta_pipeline.serving import load
    from eta_pipeline.validation import validate as check

    return Validation(*check(load(model.path()), described, validation))


@task(cache=True)
def write_report(
    metrics: Metrics,
    errors: pd.DataFrame,
    segments: pd.DataFrame,
    paces: pd.DataFrame,
    factors: pd.DataFrame,
    facts: Facts,
) -> File:
    """Write the report: a map of speeds, errors by hour and distance, beside the baselines."""
    from eta_pipeline.report import render

    path = Path("report.html")
    path.write_text(render(metrics, errors, segments, paces, factors, facts), encoding="utf-8")
    return File(path)


@task(cache=True)
def answer(model: Directory, origin: Place, to: Place, at: datetime) -> float:
    """Return the seconds that a ride takes, as the validation computes them."""
    from eta_pipeline.serving import load

    return load(model.path()).predict(origin, to, at)


@workflow
def historical_layer(locations: Directory, segments: DataFrame, clock: Clock, until: int) -> History:
    """The weekly part of the traffic: what weeks of positions say of every segment and hour."""
    cells = match_locations(locations=locations, segments=segments, clock=clock, until=until)
    smoothed = smooth_history(cells=cells, segments=segments)
    return History(cells=cells, paces=smoothed.paces, factors=smoothed.factors)


@workflow
def traffic_layer(
    locations: Directory,
    segments: DataFrame,
    clock: Clock,
    until: int,
    history: DataFrame,
    paces: DataFrame,
    factors: DataFrame,
) -> Smoothed:
    """The cheap part, run often: the last days' positions on top of the historical layer."""
    recent = match_locations(locations=locations, segments=segments, clock=clock, until=until)
    return smooth_recent(recent=recent, history=history, paces=paces, factors=factors, segments=segments)


@workflow
def trees(
    described: pd.DataFrame,
    corrections: pd.DataFrame,
    segments: DataFrame,
    paces: DataFrame,
    factors: DataFrame,
    clock: Clock,
) -> Directory:
    """XGBoost: a search for hyper-parameters, then the model."""
    trials: list[Trial] = []
    for wave in range(WAVES):  # the tries of a wave run side by side and see those of earlier waves
        params = [suggest(history=trials, number=wave * WAVE + i) for i in range(WAVE)]
        trials = trials + [attempt(described=described, params=p) for p in params]
    return train(
        described=described,
        trials=trials,
        segments=segments,
        paces=paces,
        factors=factors,
        corrections=corrections,
        clock=clock,
    )


@workflow
def convolution(
    described: pd.DataFrame,
    corrections: pd.DataFrame,
    training: pd.DataFrame,
    segments: DataFrame,
    paces: DataFrame,
    factors: DataFrame,
    clock: Clock,
) -> Directory:
    """TensorFlow: a convolutional network over what lies along the route."""
    known = describe_routes(
        described=described, training=training, segments=segments, paces=paces, factors=factors, clock=clock
    )
    network = learn(
        routes=known.routes,
        features=known.features,
        corrected=known.corrected,
        durations=known.durations,
        epochs=EPOCHS,
    )
    return pack(
        network=network,
        segments=segments,
        paces=paces,
        factors=factors,
        corrections=corrections,
        clock=clock,
    )


@workflow
def eta(
    data: Directory | None = None,
    roads: File | None = None,
    model: Literal["xgboost", "cnn"] = "xgboost",
    osm_place: str = "",
    osm_date: date | None = None,
    locations_from: date | None = None,
    locations_to: date | None = None,
    validation_from: date | None = None,
    validation_to: date | None = None,
    recent_days: int = 7,
    max_segment_m: float = 120.0,
    holiday_calendar: str = "us",
    seed: int = 7,
) -> Eta:
    """The whole pipeline: roads, traffic, training, validation, report.

    Without `data`: simulated rides over real roads.

    Args:
        data: A folder of real data, laid out as README.md says.
        roads: An OpenStreetMap extract in place of that in the data, as a map team publishes it.
        model: What answers: "xgboost", trees over features of the route, or "cnn", a network along it (TensorFlow).
        osm_place: The extract's place, needed if there is more than one.
        osm_date: The extract's date; by default the newest.
        locations_from: First local day of positions to learn traffic from.
        locations_to: Last such day, inclusive.
        validation_from: First local day of rides to validate on; by default the last fifth of the rides is.
        validation_to: Last such day, inclusive. All that came before validation is learned from.
        recent_days: How many of the last days of positions count as recent.
        max_segment_m: Longest segment of road that has a pace of its own, in metres.
        holiday_calendar: "us" or "none".
        seed: Of the simulated rides.
    """
    chosen = choose(
        data=find_data(data=data, seed=seed),
        roads=roads,
        osm_place=osm_place,
        osm_date=osm_date,
        locations_from=locations_from,
        locations_to=locations_to,
        validation_from=validation_from,
        validation_to=validation_to,
        recent_days=recent_days,
        holiday_calendar=holiday_calendar,
    )
    segments = make_segments(links=extract_roads(osm=chosen.osm), max_length_m=max_segment_m)
    past = historical_layer(locations=chosen.history, segments=segments, clock=chosen.clock, until=chosen.until)
    now = traffic_layer(
        locations=chosen.recent,
        segments=segments,
        clock=chosen.clock,
        until=chosen.until,
        history=past.cells,
        paces=past.paces,
        factors=past.factors,
    )
    prepared = describe_rides(
        training=chosen.training, segments=segments, paces=now.paces, factors=now.factors, clock=chosen.clock
    )
    made = cond(
        model == "cnn",
        lambda: convolution(
            described=prepared.described,
            corrections=prepared.corrections,
            training=chosen.training,
            segments=segments,
            paces=now.paces,
            factors=now.factors,
            clock=chosen.clock,
        ),
        lambda: trees(
            described=prepared.described,
            corrections=prepared.corrections,
            segments=segments,
            paces=now.paces,
            factors=now.factors,
            clock=chosen.clock,
        ),
    )
    checked = validate(model=made, described=prepared.described, validation=chosen.validation)
    report = write_report(
        metrics=checked.metrics,
        errors=checked.errors,
        segments=segments,
        paces=now.paces,
        factors=now.factors,
        facts=chosen.facts,
    )
    return Eta(model=made, metrics=checked.metrics, report=report)


@workflow
def predict(model: Directory, origin: Place, to: Place, at: datetime) -> float:
    """Answer how long a ride takes, in seconds.

    Args:
        model: What `eta` made.
        origin: Where the ride begins.
        to: Where it ends.
        at: When it begins; without a zone, in the city's time.
    """
    return answer(model=model, origin=origin, to=to, at=at)
