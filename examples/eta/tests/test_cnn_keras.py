"""What numpy makes of the convolutional model's weights is what Keras makes of them. In the environment of plugins/tensorflow."""

from __future__ import annotations

import numpy as np
import pytest
from eta_pipeline.convolution import Network


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("default")  # of the libraries, which warn of each other
@pytest.mark.timeout(1200)
def test_numpy_answers_as_keras_does() -> None:
    import keras
    from eta_pipeline.fitting import build, of_model

    keras.utils.set_random_seed(2)
    model = build((24, 7), 3)
    random = np.random.default_rng(1)
    routes, features = random.random((20, 24, 7)).astype("float32"), random.normal(size=(20, 3))
    empty = Network({"mean": np.zeros(3, "float32"), "std": np.ones(3, "float32"), "base": np.float32(0.0)})
    expected = np.exp(model.predict([routes, empty.scaled(features)], verbose=0)[:, 0])
    assert of_model(model, empty).predict(routes, features, np.zeros(20)) == pytest.approx(expected, rel=1e-4)
