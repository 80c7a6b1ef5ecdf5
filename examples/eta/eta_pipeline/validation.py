"""Validation: predictions against the durations that really happened, beside baselines that know less."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eta_pipeline.geo import Array
from eta_pipeline.metrics import Metrics, Score
from eta_pipeline.rides import is_clean
from eta_pipeline.serving import Predictor

METHODS = (
    "straight line at mean speed",
    "a + b * Manhattan distance",
    "a + b * length of the route",
    "a + b * free-flow time of the route",
    "a + b * route time with traffic, all hours",
    "a + b * route time with traffic at that time",
    "the model",
)
FREE_FLOW, OBSERVED, MODEL = METHODS[3], METHODS[5], METHODS[6]
DISTANCE_EDGES_M = (300, 1000, 1500, 2000, 3000, 4500, 1e9)


def _score(name: str, actual: Array, predicted: Array) -> Score:
    error = predicted - actual
    away = np.abs(error)
    return Score(name, float(away.mean()), float((away / actual).mean()), float(error.mean()))


def _linear(x: pd.Series, y: Array, test_x: pd.Series) -> Array:
    """Return a + b x fitted by least squares; rides without x (no route) get the mean duration."""
    known = x.notna().to_numpy()
    ones = np.ones(int(known.sum()))
    a, b = np.linalg.lstsq(np.stack([ones, x[known]], axis=1), y[known], rcond=None)[0]
    return np.asarray((a + b * test_x).fillna(float(y.mean())), dtype=float)


def validate(predictor: Predictor, trained: pd.DataFrame, rides: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Return the metrics, and a row per clean ride: start_ts, hour, straight_m, duration_s, predicted_s.

    `trained` is what the model was trained on (the baselines are fitted on it), `rides` are of a later time.

    Raises:
        ValueError: no clean ride to validate on.
    """
    clean = is_clean(rides)
    if not clean.any():
        raise ValueError(f"none of the {len(rides)} rides to validate on is clean")
    table = predictor.features(rides)
    predicted, actual = predictor.predict_described(rides, table), rides.duration_s.to_numpy(dtype=float)
    y, test, truth = trained.duration_s.to_numpy(dtype=float), table[clean], actual[clean]
    speed = trained.straight_m.sum() / y.sum()
    by_method = [np.asarray(test.straight_m / speed)]
    for column in ("manhattan_m", "route_m", "free_s", "usual_s", "observed_s"):
        by_method.append(_linear(trained[column], y, test[column]))
    by_method.append(predicted[clean])
    scores = [_score(name, truth, p) for name, p in zip(METHODS, by_method, strict=True)]
    named = {score.name: score for score in scores}
    everything = _score(MODEL, actual, predicted)
    metrics = Metrics(
        mae_s=named[MODEL].mae_s,
        mape=named[MODEL].mape,
        all_mae_s=everything.mae_s,
        all_mape=everything.mape,
        traffic_gain=1 - named[OBSERVED].mae_s / named[FREE_FLOW].mae_s,
        rides=len(rides),
        clean_rides=int(clean.sum()),
        scores=scores,
    )
    columns = {"start_ts": rides.start_ts[clean].to_numpy(), "hour": test.hour.astype(int).to_numpy()}
    columns |= {"straight_m": test.straight_m.to_numpy(), "duration_s": truth, "predicted_s": predicted[clean]}
    return metrics, pd.DataFrame(columns)


def by_hour(errors: pd.DataFrame) -> pd.DataFrame:
    """Return rides, mae_s and mape of each local hour of the day that has rides."""
    return _grouped(errors, errors.hour)


def by_distance(errors: pd.DataFrame) -> pd.DataFrame:
    """Return rides, mae_s and mape by straight-line distance (index: the place in DISTANCE_EDGES_M)."""
    return _grouped(errors, np.digitize(errors.straight_m, DISTANCE_EDGES_M) - 1)


def _grouped(errors: pd.DataFrame, key: pd.Series | np.ndarray) -> pd.DataFrame:
    away = (errors.predicted_s - errors.duration_s).abs()
    table = pd.DataFrame({"away": away, "share": away / errors.duration_s})
    return table.groupby(np.asarray(key)).agg(rides=("away", "size"), mae_s=("away", "mean"), mape=("share", "mean"))
