"""What the kits have to know to test the wrapper and the models: `wingbeat plugins check tensorflow` runs them, and so do the
tests.

They take TensorFlow; without it they are skipped.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from wingbeat.testing.conformance.types import TypeContract
from wingbeat.testing.conformance.wrapper import WrapperContract


class TestWrapper(WrapperContract):
    """TensorFlow in one process."""

    target = "wingbeat_tensorflow.wrapper:TensorFlowWrapper"
    config: ClassVar[dict[str, Any]] = {"strategy": True}
    patience_s: ClassVar[float] = 250.0

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _installed() -> None:
        pytest.importorskip("tensorflow")


class TestModels(TypeContract):
    """Keras models, as files."""

    plugin = "wingbeat_tensorflow.plugin"
    patience_s: ClassVar[float] = 250.0

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _installed() -> None:
        pytest.importorskip("tensorflow")

    def hint(self) -> Any:
        """What authors write."""
        import keras

        return keras.Model

    def samples(self) -> list[Any]:
        """One that was never trained, and two of one shape with other weights, one of which is compiled."""
        import keras

        keras.utils.clear_session()  # which numbers what has no name
        made = []
        for seed, layers in ((1, (1,)), (2, (3, 1)), (3, (3, 1))):
            keras.utils.set_random_seed(seed)
            dense = [keras.layers.Dense(units, name=f"dense{n}") for n, units in enumerate(layers)]
            model = keras.Sequential([keras.Input((4,), name="x"), *dense], name="model")
            if seed == 3:
                model.compile("adam", "mse")
                model.optimizer.build(model.trainable_variables)  # as when it was read
            made.append(model)
        return made

    def same(self, one: Any, other: Any) -> bool:
        """Whether architecture and weights are equal."""
        import numpy as np

        if one.to_json() != other.to_json():
            return False
        return all(np.array_equal(mine, its) for mine, its in zip(one.get_weights(), other.get_weights(), strict=True))
