"""The search for hyper-parameters (Optuna): ask and tell, from a history that is plain data.

So each try can be a cached node of a workflow, and the workflow's loop is the study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import optuna

from eta_pipeline.trials import Params, Trial

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
