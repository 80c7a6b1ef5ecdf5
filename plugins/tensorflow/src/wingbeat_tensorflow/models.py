"""Keras models as values: one ``.keras`` file, whose bytes depend on the model alone."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from typing import Any, ClassVar, Literal

from wingbeat.base.errors import ConfigurationError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SHARED = "shared_object_id"
_VALUES = frozenset({"DTypePolicy", "QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy"})


class KerasHandler:
    """`keras.Model` with all its subclasses. The file holds architecture, weights, and how it was compiled."""

    layout: ClassVar[Literal["file"]] = "file"
    name: ClassVar[str] = "model.keras"

    def write(self, value: Any, path: str) -> None:
        """Save the model."""
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as folder:
            saved = f"{folder}/{self.name}"
            value.save(saved)
            without_traces(saved, path)

    def read(self, path: str, hint: Any) -> Any:
        """Load the model. Code in it (lambdas) is refused, as Keras does by default."""
        try:
            import keras
        except ImportError as error:
            raise ConfigurationError(
                f"Keras is not in the environment of this task ({error}).",
                hint='Add "tensorflow-cpu" to the packages of the task\'s Environment.',
            ) from None
        with tempfile.TemporaryDirectory() as folder:
            link = f"{folder}/{self.name}"  # Keras goes by the name
            os.symlink(os.path.abspath(path), link)
            return keras.models.load_model(link)


def without_traces(source: str, target: str) -> None:
    """Copy a ``.keras`` file without what tells when and in which process it was saved, so that equal models are equal bytes."""
    with zipfile.ZipFile(source) as saved, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(saved.namelist()):
            data = saved.read(name)
            if name == "metadata.json":
                about = {key: value for key, value in json.loads(data).items() if key != "date_saved"}
                data = json.dumps(about, sort_keys=True).encode()
            elif name == "config.json":
                data = json.dumps(_renumbered(json.loads(data), {})).encode()
            made.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def _renumbered(config: Any, numbers: dict[int, int]) -> Any:
    """Objects that are shared have their address in memory as a number: they get one by their order. A policy of types is a value,
    of which Keras does not keep who shares it."""
    if isinstance(config, list):
        return [_renumbered(part, numbers) for part in config]
    if not isinstance(config, dict):
        return config
    found = {key: _renumbered(part, numbers) for key, part in config.items() if key != _SHARED}
    if _SHARED in config and config.get("class_name") not in _VALUES:
        found[_SHARED] = numbers.setdefault(config[_SHARED], len(numbers))
    return found
