"""A small library around gradient-boosted trees (XGBoost) with a hyper-parameter search (Optuna), for log durations.

The search is ask-and-tell from a history that is plain data, so that each trial can be a cached node of a workflow.
Absolute error on the logarithm estimates the median duration, which is what mean absolute error rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import optuna
import pandas as pd
import xgboost as xgb

from eta_pipeline.geo import Array
from eta_pipeline.trials import Params, Trial

MOST_ROUNDS = 900
PATIENCE = 40
SEEDS = (11, 23, 47)
_SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    "depth": optuna.distributions.IntDistribution(5, 9),
    "least_weight": optuna.distributions.FloatDistribution(10.0, 100.0, log=True),
    "step": optuna.distributions.FloatDistribution(0.03, 0.1, log=True),
    "rows": optuna.distributions.FloatDistribution(0.4, 0.9),
    "columns": optuna.distributions.FloatDistribution(0.25, 0.8),
    "ridge": optuna.distributions.FloatDistribution(0.5, 30.0, log=True),
}


def suggest(history: Sequence[Trial], number: int) -> Params:
    """Return the parameters of try `number` (0, 1, …), given what earlier ones reached; the first is the default.

    Optuna's tree-structured Parzen estimator; the same history and number give the same answer.
    """
    if number == 0:
        return Params()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=4)
    study = optuna.create_study(sampler=sampler)
    for trial in history:
        study.add_trial(optuna.trial.create_trial(params=asdict(trial.params), distributions=_SPACE, value=trial.mae_s))
    return Params(**study.ask(_SPACE).params)


def best(history: Sequence[Trial]) -> Trial:
    """Return the try with the least error (the earliest of equals).

    Raises:
        ValueError: there is none.
    """
    if not history:
        raise ValueError("no trial to choose from")
    return min(history, key=lambda trial: trial.mae_s)


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


def fit(features: pd.DataFrame, duration_s: Array, trial: Trial, threads: int = 2) -> list[xgb.Booster]:
    """Return one model per seed, fitted on all rides, with as many trees as the trial found best."""
    data = xgb.DMatrix(features, np.log(duration_s))
    return [xgb.train(_settings(trial.params, seed, threads), data, trial.rounds) for seed in SEEDS]


def predict(boosters: Sequence[xgb.Booster], features: pd.DataFrame) -> Array:
    """Return durations in seconds: the mean of the models' logarithms, exponentiated."""
    data = xgb.DMatrix(features)
    return np.asarray(np.exp(np.mean([booster.predict(data) for booster in boosters], axis=0)), dtype=float)
