"""What the TensorFlow plugin offers to the kernel: its hook implementations."""

from __future__ import annotations

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.types import BlobType, register

MODELS = ("keras.src.models.model.Model", "keras.models.Model", "keras.Model")


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the contracts in which wrappers have names; has no settings."""
    return PluginInfo(api=(0, 3), kits=("wingbeat_tensorflow.kits:TestWrapper", "wingbeat_tensorflow.kits:TestModels"))


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the wrapper of `wingbeat_tensorflow.TensorFlow`."""
    registrar.wrapper("tensorflow", "wingbeat_tensorflow.wrapper:TensorFlowWrapper")


@hookimpl
def wingbeat_types() -> None:
    """Offer Keras models as values."""
    register(MODELS, BlobType("keras"), "wingbeat_tensorflow.models:KerasHandler", subclasses=True)
