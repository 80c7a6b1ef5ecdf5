"""Fits the convolutional model (Keras). Absolute error of the logarithm, as the trees have it."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from eta_pipeline.convolution import CONVOLUTIONS, DENSE, Floats, Network, base
from wingbeat_tensorflow import callbacks

FILTERS, KERNEL, WIDTHS = 32, 5, (96, 48)
BATCH, STEP, PATIENCE = 512, 1e-3, 6
TUNE_SHARE = 0.2
SEED = 11


def fit(
    routes: Floats,
    features: npt.NDArray[np.float64],
    corrected: npt.NDArray[np.float64],
    durations: npt.NDArray[np.float64],
    epochs: int,
) -> Network:
    """Return the network of the epoch that was best on the last fifth of the rides, which it is not fitted on."""
    keras.utils.set_random_seed(SEED)
    early = slice(0, int(len(durations) * (1 - TUNE_SHARE)))
    late = slice(early.stop, None)
    usual = np.float32(np.log(durations[early]).mean())
    std = np.nan_to_num(np.nanstd(features[early], axis=0))
    scale = Network(
        {
            "mean": np.nan_to_num(np.nanmean(features[early], axis=0)).astype(np.float32),
            "std": np.where(std > 0, std, 1.0).astype(np.float32),
            "base": usual,
        }
    )
    scaled = scale.scaled(features)
    rest = (np.log(durations) - base(corrected, float(usual))).astype(np.float32)
    model = build(routes.shape[1:], features.shape[1])
    model.compile(keras.optimizers.Adam(STEP), "mae")
    model.fit(
        [routes[early], scaled[early]],
        rest[early],
        validation_data=([routes[late], scaled[late]], rest[late]),
        epochs=epochs,
        batch_size=BATCH,
        verbose=0,
        callbacks=[
            *callbacks(),
            keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=2),
            keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True),
        ],
    )
    return of_model(model, scale)


def build(shape: tuple[int, ...], features: int) -> keras.Model:
    """Return the network, not fitted yet."""
    routes, others = keras.Input(shape), keras.Input((features,))
    found = routes
    for name in CONVOLUTIONS:
        found = keras.layers.Conv1D(FILTERS, KERNEL, padding="same", activation="relu", name=name)(found)
    pooled = [keras.layers.GlobalAveragePooling1D()(found), keras.layers.GlobalMaxPooling1D()(found), others]
    found = keras.layers.Concatenate()(pooled)
    for name, width in zip(DENSE, WIDTHS, strict=False):
        found = keras.layers.Dense(width, "relu", name=name)(found)
    return keras.Model([routes, others], keras.layers.Dense(1, name=DENSE[-1])(found))


def of_model(model: keras.Model, scale: Network) -> Network:
    """Return the network of a fitted model."""
    weights = dict(scale.weights)
    for name in (*CONVOLUTIONS, *DENSE):
        weights[f"{name}_w"], weights[f"{name}_b"] = model.get_layer(name).get_weights()
    return Network(weights)
