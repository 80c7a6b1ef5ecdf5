"""The task that trains the convolutional model. It has a module and an environment of its own, with TensorFlow, which no other
step of the pipeline needs: what it returns is read with numpy alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wingbeat import Environment, File, Resources, task
from wingbeat_tensorflow import TensorFlow


@task(
    task_config=TensorFlow(),
    environment=Environment(requirements="requirements-cnn.txt"),
    resources=Resources(cpu=2),
    retries=2,
    cache=True,
)
def learn(routes: np.ndarray, features: np.ndarray, corrected: np.ndarray, durations: np.ndarray, epochs: int) -> File:
    """Fit the network on the earlier rides, stop by the later ones, and return its weights."""
    from eta_pipeline.fitting import fit

    network = fit(routes, features, corrected, durations, epochs)
    network.save(Path("network.npz"))
    return File("network.npz")
