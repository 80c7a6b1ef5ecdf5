"""What a validation reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """Errors of one way to predict: mean absolute error in seconds, mean of |error| / duration, mean error."""

    name: str
    mae_s: float
    mape: float
    bias_s: float


@dataclass(frozen=True)
class Metrics:
    """The result: the model's errors on clean rides, on all rides, and of the baselines (on clean rides)."""

    mae_s: float
    mape: float
    all_mae_s: float
    all_mape: float
    traffic_gain: float
    """How much less (share of MAE) the linear model errs on observed than on free-flow route times."""
    rides: int
    clean_rides: int
    scores: list[Score]
