"""The convolutional model: routes as sequences, no leaks, and answers on and off the roads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from eta_pipeline.convolution import CONVOLUTIONS, DENSE, Network

ETA = Path(__file__).parents[1] / "eta.py"


def _network(features: int = 3, channels: int = 7, filters: int = 4) -> Network:
    random = np.random.default_rng(4)
    shapes = {"conv1": (5, channels, filters), "conv2": (5, filters, filters), "dense1": (2 * filters + features, 6)}
    shapes |= {"dense2": (6, 5), "out": (5, 1)}
    weights = {f"{name}_w": random.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    weights |= {f"{name}_b": random.normal(size=shapes[name][-1]).astype("float32") for name in (*CONVOLUTIONS, *DENSE)}
    weights |= {"mean": np.zeros(features, "float32"), "std": np.ones(features, "float32"), "base": np.float32(6.0)}
    return Network(weights)


def test_a_network_is_the_same_when_it_is_read_and_the_same_bytes(tmp_path: Path) -> None:
    made = _network()
    for name in ("a.npz", "b.npz"):
        made.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    routes, features = np.ones((2, 24, 7), "float32"), np.zeros((2, 3))
    known = np.array([5.0, np.nan])
    again = Network.load(tmp_path / "a.npz").predict(routes, features, known)
    assert np.array_equal(again, made.predict(routes, features, known))
    assert again[1] / again[0] == pytest.approx(np.e), "without a route it is the usual one that is corrected"


def test_what_is_not_known_of_a_ride_counts_as_usual() -> None:
    assert _network().scaled(np.array([[np.nan, 1e9, 0.5]])).tolist() == [[0.0, 8.0, 0.5]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A town with a pace that differs by the fold that is left out, and rides in it."""
    from eta_pipeline.clock import BUCKETS, SLOTS, Clock
    from eta_pipeline.constants import FOLDS, NO_FOLD
    from eta_pipeline.features import World
    from eta_pipeline.roads import find_links
    from eta_pipeline.simulator import simulate, straight_segments
    from eta_town import TOWN, write_osm

    folder = tmp_path_factory.mktemp("town")
    town = write_osm(folder / "town.osm", TOWN)
    segments = straight_segments(find_links(town))
    simulate(folder / "data", 5, extract=town, days=5, rides_a_day=900)
    rides = pd.read_csv(folder / "data" / "rides" / "rides.csv.gz")
    folds = (NO_FOLD, *range(FOLDS))
    keys = ((w, s, b) for w in folds for s in range(len(segments)) for b in range(BUCKETS))
    paces = pd.DataFrame(keys, columns=["without", "segment_id", "bucket"]).assign(deviation=1.0)
    paces["pace"] = 0.1 + 0.02 * (paces.without + 1)
    factors = pd.DataFrame(((w, s) for w in folds for s in range(SLOTS)), columns=["without", "slot"])
    factors["factor"] = 1.0
    return World.of(segments, paces, factors, Clock(3 * 3600)), rides, segments, paces, factors


def test_routes_become_sequences_of_what_lies_along_them(world) -> None:
    from eta_pipeline.sequences import CHANNELS, STEPS, sequences

    of, rides, *_ = world
    rides = rides.head(60).reset_index(drop=True)
    found = sequences(rides, of)
    assert found.shape == (60, STEPS, len(CHANNELS))
    there, pace = found[:, :, 0], found[:, :, 1]
    assert there.max(axis=1).min() == 1
    assert pace[there > 0] == pytest.approx(0.1, rel=1e-5)
    other = rides.assign(duration_s=1, end_ts=0, cab_id="x", ride_id="y")
    assert np.array_equal(found, sequences(other, of)), "how it went is not in it"
    assert np.array_equal(found[7:8], sequences(rides.iloc[[7]].reset_index(drop=True), of)), "nor the other rides"
    fold = np.full(60, 2)
    assert sequences(rides, of, fold)[:, :, 1][there > 0] == pytest.approx(0.1 + 0.02 * 3, rel=1e-5)


def test_a_ride_off_the_roads_has_an_empty_sequence(world) -> None:
    from eta_pipeline.sequences import sequences

    of, rides, *_ = world
    away = rides.head(2).assign(start_lat=[70.0, rides.start_lat[1]])
    found = sequences(away, of)
    assert not found[0].any()
    assert found[1].any()
    assert not sequences(away.head(1), of).any(), "also where none has a route"


def test_a_packed_network_answers_on_and_off_the_roads(world, tmp_path: Path) -> None:
    from eta_pipeline.features import NAMES
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load, save
    from eta_pipeline.training import prepare, sequences_of, split

    of, rides, segments, paces, factors = world
    described, corrections = prepare(rides, segments, paces, factors, of.clock)
    features, _, _ = split(described)
    routes = sequences_of(described, rides, segments, paces, factors, of.clock)
    assert len(routes) == len(features)
    save(tmp_path, _network(len(NAMES)), segments, paces, factors, corrections, of.clock)
    predictor = load(tmp_path)
    told = predictor.predict_rides(rides.head(20))
    assert np.isfinite(told).all()
    at = of.clock.local(int(rides.start_ts[0]))
    ends = rides.iloc[0]
    alone = predictor.predict(Place(ends.start_lat, ends.start_lon), Place(ends.end_lat, ends.end_lon), at)
    assert alone == pytest.approx(told[0], rel=1e-4)
    assert np.isfinite(predictor.predict(Place(70.0, 25.5), Place(60.0, 25.0), at))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17 or later")
def test_the_pipeline_runs_with_it_and_answers_from_it(tmp_path: Path) -> None:
    def run(*arguments: str) -> dict:
        command = [str(Path(sys.executable).with_name("wingbeat")), "run", str(ETA), *arguments, "-o", "json"]
        done = subprocess.run(
            command, env=os.environ | {"WINGBEAT_HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True, check=False
        )
        answer = json.loads(done.stdout)
        assert done.returncode == 0, answer["error"]
        return answer["outputs"]

    made = run("eta", "--model", "cnn")
    scores = {score["name"]: score["mae_s"] for score in made["metrics"]["scores"]}
    assert scores["the model"] < scores["a + b * Manhattan distance"]
    trip = ["--origin", '{"lat": 60.17, "lon": 24.94}', "--to", '{"lat": 60.18, "lon": 24.96}']
    (seconds,) = run("predict", "--model", made["model"], *trip, "--at", "2024-04-09T18:00").values()
    assert 30 < seconds < 3600
