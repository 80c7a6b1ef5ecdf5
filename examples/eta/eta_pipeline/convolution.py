"""The convolutional model, without the library that it was trained by: what answers needs numpy only.

Two convolutions go along the steps of a route; their mean and their maximum, with the features that the trees have too, go
through dense layers. The result is how much longer a ride takes than the corrected traffic says, as a logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CONVOLUTIONS, DENSE = ("conv1", "conv2"), ("dense1", "dense2", "out")
FILE = "network.npz"


class Network:
    """Weights by name: ``conv1_w`` (kernel, in, out), ``conv1_b``, …; ``mean``, ``std`` of the features, ``base`` for rides
    without a route."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self.weights = dict(weights)

    @staticmethod
    def load(file: Path) -> Network:
        """Return the network of a file that `save` made."""
        with np.load(file) as arrays:
            return Network({name: arrays[name] for name in arrays.files})

    def save(self, file: Path) -> None:
        """Write the weights; the same weights are the same bytes."""
        np.savez(file, **self.weights)  # type: ignore[arg-type]  # arrays by name

    def scaled(self, features: npt.NDArray[np.float64]) -> Floats:
        """Return the features as the network takes them: what is not known is as usual."""
        scaled = (features - self.weights["mean"]) / self.weights["std"]
        return np.nan_to_num(np.clip(scaled, -8, 8)).astype(np.float32)

    def predict(
        self, routes: Floats, features: npt.NDArray[np.float64], corrected_log_s: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the expected seconds of rides."""
        found = routes
        for name in CONVOLUTIONS:
            found = np.maximum(_convolve(found, self.weights[f"{name}_w"]) + self.weights[f"{name}_b"], 0)
        found = np.concatenate([found.mean(axis=1), found.max(axis=1), self.scaled(features)], axis=1)
        for name in DENSE:
            found = found @ self.weights[f"{name}_w"] + self.weights[f"{name}_b"]
            found = found if name == DENSE[-1] else np.maximum(found, 0)
        return np.asarray(np.exp(base(corrected_log_s, float(self.weights["base"])) + found[:, 0]), dtype=float)


def base(corrected_log_s: npt.NDArray[np.float64], usual: float) -> npt.NDArray[np.float64]:
    """Return what the network corrects: the traffic's own estimate, or the usual one where there is no route."""
    return np.where(np.isfinite(corrected_log_s), corrected_log_s, usual)


def _convolve(values: Floats, kernel: Floats) -> Floats:
    """Return the convolution along the second axis, as long as the values are."""
    width = len(kernel)
    padded = np.pad(values, ((0, 0), ((width - 1) // 2, width // 2), (0, 0)))
    steps = values.shape[1]
    return np.asarray(sum(padded[:, k : k + steps] @ kernel[k] for k in range(width)))
