"""Describing, learning, serving; and that nothing of the future or of a ride itself leaks into its features."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from eta_pipeline.clock import BUCKETS, SLOTS, Clock
from eta_pipeline.constants import FOLDS, NO_FOLD

CLOCK = Clock(3 * 3600)


class Tables(NamedTuple):
    segments: pd.DataFrame
    paces: pd.DataFrame
    factors: pd.DataFrame
    rides: pd.DataFrame


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A town, a made-up traffic layer in which leaving out a fold changes a lot, and simulated rides."""
    from eta_pipeline.roads import find_links
    from eta_pipeline.simulator import simulate, straight_segments
    from eta_town import TOWN, write_osm

    folder = tmp_path_factory.mktemp("town")
    town = write_osm(folder / "town.osm", TOWN)
    segments = straight_segments(find_links(town))
    simulate(folder / "data", 5, extract=town, days=10, rides_a_day=900)
    rides = pd.read_csv(folder / "data" / "rides" / "rides.csv.gz")
    random = np.random.default_rng(2)
    keys = ((w, s, b) for w in (NO_FOLD, *range(FOLDS)) for s in range(len(segments)) for b in range(BUCKETS))
    paces = pd.DataFrame(keys, columns=["without", "segment_id", "bucket"])
    paces["pace"] = 0.1 + 0.02 * (paces.without + 1) + 0.001 * paces.segment_id
    paces["deviation"] = random.uniform(0.8, 1.2, len(paces))
    slots = ((w, s) for w in (NO_FOLD, *range(FOLDS)) for s in range(SLOTS))
    factors = pd.DataFrame(slots, columns=["without", "slot"])
    factors["factor"] = random.uniform(0.8, 1.3, len(factors))
    return Tables(segments, paces, factors, rides)


def _prepare(tables: Tables, rides: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    from eta_pipeline.training import prepare

    chosen = tables.rides if rides is None else rides
    return prepare(chosen, tables.segments, tables.paces, tables.factors, CLOCK)


@pytest.fixture(scope="module")
def model(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from eta_pipeline.learning import fit
    from eta_pipeline.serving import save
    from eta_pipeline.training import split
    from eta_pipeline.trials import Params, Trial

    described, corrections = _prepare(tables)
    features, durations, _ = split(described)
    boosters = fit(features, durations, Trial(Params(depth=4), 20, 0.0))
    folder = tmp_path_factory.mktemp("model")
    save(folder, boosters, tables.segments, tables.paces, tables.factors, corrections, CLOCK)
    return folder


def test_a_training_rides_own_duration_is_in_none_of_its_features(tables: Tables) -> None:
    described, _ = _prepare(tables)
    changed = tables.rides.copy()
    fold = CLOCK.fold(changed.start_ts)
    mine = fold == fold[0]
    changed.loc[mine, "duration_s"] = (changed.duration_s[mine] * 1.5).astype(int)
    again, _ = _prepare(tables, changed)
    same = described.merge(again, on="ride_id", suffixes=("", "_again"))
    of_fold = same[CLOCK.fold(same.start_ts) == fold[0]]
    assert len(of_fold) > 50
    for name in described.columns.drop(["ride_id", "start_ts", "duration_s"]):
        pd.testing.assert_series_equal(of_fold[name], of_fold[f"{name}_again"], check_names=False)
    others = same[CLOCK.fold(same.start_ts) != fold[0]]
    assert not np.allclose(others.corrected_log_s, others.corrected_log_s_again), "other folds do learn from it"


def test_a_training_ride_is_described_by_traffic_of_other_folds_only(tables: Tables) -> None:
    described, _ = _prepare(tables)
    fold = int(CLOCK.fold(described.start_ts)[0])
    paces = tables.paces.copy()
    paces.loc[paces.without != fold, "pace"] *= 1.0 + 0.5 * (paces.without[paces.without != fold] != NO_FOLD)
    again, _ = _prepare(tables._replace(paces=paces))
    of_fold = CLOCK.fold(described.start_ts) == fold
    assert np.allclose(described.observed_s[of_fold], again.observed_s[of_fold])
    assert not np.allclose(described.observed_s[~of_fold], again.observed_s[~of_fold])


def test_features_of_a_ride_to_come_do_not_know_how_it_went(tables: Tables, model: Path) -> None:
    from eta_pipeline.serving import load

    predictor = load(model)
    rides = tables.rides.tail(50).reset_index(drop=True)
    told = predictor.features(rides)
    other = rides.assign(duration_s=1, end_ts=0, cab_id="x", ride_id="y")
    pd.testing.assert_frame_equal(told, predictor.features(other))
    alone = pd.concat([predictor.features(rides.iloc[[i]]) for i in range(5)], ignore_index=True)
    pd.testing.assert_frame_equal(told.head(5), alone)


def test_serving_answers_as_validation_does(tables: Tables, model: Path) -> None:
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load
    from eta_pipeline.validation import validate

    described, _ = _prepare(tables)
    predictor = load(model)
    metrics, errors = validate(predictor, described, tables.rides)
    assert metrics.clean_rides == len(errors)
    assert metrics.scores[-1].mae_s == pytest.approx(metrics.mae_s)
    clean = tables.rides[tables.rides.start_ts.isin(errors.start_ts)].drop_duplicates("start_ts")
    for ride in clean.head(5).itertuples():
        origin, to = Place(ride.start_lat, ride.start_lon), Place(ride.end_lat, ride.end_lon)
        answer = predictor.predict(origin, to, CLOCK.local(ride.start_ts))
        validated = errors.loc[errors.start_ts == ride.start_ts, "predicted_s"].to_numpy()
        assert np.isclose(validated, answer, rtol=1e-6).any()


def test_a_model_answers_off_the_roads_too(model: Path) -> None:
    from eta_pipeline.places import Place
    from eta_pipeline.serving import load

    seconds = load(model).predict(Place(60.5, 25.5), Place(60.0, 25.0), datetime(2024, 4, 9, 12))
    assert 0 < seconds < 3600


def test_training_is_repeatable_to_the_byte(tables: Tables, model: Path, tmp_path: Path) -> None:
    from eta_pipeline.learning import fit
    from eta_pipeline.serving import save
    from eta_pipeline.training import split
    from eta_pipeline.trials import Params, Trial

    described, corrections = _prepare(tables)
    features, durations, _ = split(described)
    boosters = fit(features, durations, Trial(Params(depth=4), 20, 0.0))
    save(tmp_path, boosters, tables.segments, tables.paces, tables.factors, corrections, CLOCK)
    for file in model.iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes(), file.name


def test_the_search_is_repeatable_and_starts_at_the_default(tables: Tables) -> None:
    from eta_pipeline.search import best, suggest
    from eta_pipeline.trials import Params, Trial

    assert suggest([], 0) == Params()
    history = [Trial(suggest([], i), 10, 90.0 - i) for i in range(4)]
    assert suggest(history, 4) == suggest(history, 4)
    assert suggest(history, 4) != suggest(history, 5)
    assert best(history) == history[3]
    with pytest.raises(ValueError, match="no trial"):
        best([])


def test_no_model_and_another_versions_model_are_told_apart(model: Path, tmp_path: Path) -> None:
    from eta_pipeline.serving import load

    with pytest.raises(FileNotFoundError, match="holds no ETA model"):
        load(tmp_path)
    (tmp_path / "model.json").write_text('{"version": 0, "features": []}')
    with pytest.raises(ValueError, match="another version"):
        load(tmp_path)


def test_too_few_rides_are_refused(tables: Tables) -> None:
    with pytest.raises(ValueError, match="clean rides to train on"):
        _prepare(tables, tables.rides.head(30))


def test_the_report_is_self_contained_and_labels_simulated_data(tables: Tables, model: Path) -> None:
    from eta_pipeline.facts import Facts
    from eta_pipeline.report import render
    from eta_pipeline.serving import load
    from eta_pipeline.validation import validate

    described, _ = _prepare(tables)
    metrics, errors = validate(load(model), described, tables.rides)
    day = datetime(2024, 4, 9)
    for simulated in (True, False):
        facts = Facts("town", "2020-01-02", simulated, day, day, day, day)
        page = render(metrics, errors, tables.segments, tables.paces, tables.factors, facts)
        assert ("Simulated." in page) == simulated
        assert "OpenStreetMap contributors" in page
        assert ("CRAWDAD" in page) != simulated
        assert "<script" not in page
        assert " src=" not in page
