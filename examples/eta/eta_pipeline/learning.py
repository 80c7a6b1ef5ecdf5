"""A small library around gradient-boosted trees (XGBoost), for log durations.

Absolute error on the logarithm estimates the median duration, which is what mean absolute error rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import xgboost as xgb

from eta_pipeline.geo import Array
from eta_pipeline.trials import Params, Trial

MOST_ROUNDS = 900
PATIENCE = 40
SEEDS = (11, 23, 47)


def _settings(params: Params, seed: int, threads: int) -> dict[str, object]:
    return {
        "objective": "reg:absoluteerror",
        "tree_method": "hist",
        "max_bin": 128,
        "max_depth": params.depth,
        "min_child_weight": params.least_weight,
        "eta": params.step,
        "subsample": params.rows,
        "colsample_bytree": params.columns,
        "lambda": params.ridge,
        "seed": seed,
        "nthread": threads,
    }


def try_params(features: pd.DataFrame, duration_s: Array, tune: np.ndarray, params: Params, threads: int = 1) -> Trial:
    """Fit on the rides not marked in `tune`, and return the error on those marked, at the best number of trees."""
    fit = xgb.DMatrix(features[~tune], np.log(duration_s[~tune]))
    check = xgb.DMatrix(features[tune], np.log(duration_s[tune]))
    booster = xgb.train(
        _settings(params, SEEDS[0], threads),
        fit,
        MOST_ROUNDS,
        evals=[(check, "tune")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    rounds = booster.best_iteration + 1
    predicted = np.exp(booster.predict(check, iteration_range=(0, rounds)))
    return Trial(params, rounds, float(np.abs(predicted - duration_s[tune]).mean()))


def fit(features: pd.DataFrame, duration_s: Array, trial: Trial, workers: int = 2) -> list[xgb.Booster]:
    """Return one model per seed, fitted on all rides, with as many trees as the trial found best.

    Each has one thread and `workers` run at a time: threads of one fit would wait for each other on a busy machine.
    """

    def one(seed: int) -> xgb.Booster:
        data = xgb.DMatrix(features, np.log(duration_s), nthread=1)
        return xgb.train(_settings(trial.params, seed, 1), data, trial.rounds)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, SEEDS))


def predict(boosters: Sequence[xgb.Booster], features: pd.DataFrame) -> Array:
    """Return durations in seconds: the mean of the models' logarithms, exponentiated."""
    data = xgb.DMatrix(features)
    return np.asarray(np.exp(np.mean([booster.predict(data) for booster in boosters], axis=0)), dtype=float)
