"""The callbacks themselves; importing this imports Keras."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any

import keras

from wingbeat_tensorflow import training
from wingbeat_tensorflow.charts import curves

_KEPT = re.compile(r"epoch-(\d+)\.weights\.h5\Z")


class Curves(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """See `wingbeat_tensorflow.curves`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._attempt = training.attempt() if training.first() else None
        self._file = f"keras-{name}/history.json"
        self._history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Take what earlier attempts have seen, up to the epoch at which this one begins."""
        if self._attempt is None:
            return
        begin = getattr(self.model, "_initial_epoch", None) or 0  # the backup has set it, if there is one
        found = json.loads(self._attempt.checkpoint.load(self._file) or b"{}")
        self._history = {name: values[:begin] for name, values in found.items()}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report it."""
        if self._attempt is None:
            return
        said = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in said.items():
            past = self._history.setdefault(name, [])
            past += [math.nan] * (epoch - len(past))
            past.append(value)
        self._attempt.checkpoint.save(self._file, json.dumps(self._history).encode())
        epochs = self.params.get("epochs") or epoch + 1
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in said.items())
        self._attempt.progress((epoch + 1) / epochs, f"epoch {epoch + 1} of {epochs}: {numbers}")

    def on_train_end(self, logs: Any = None) -> None:
        """Draw the curves."""
        if self._attempt is not None and self._history:
            self._attempt.deck.html(curves(self._history), "Learning curves")


class Backup(keras.callbacks.Callback):  # type: ignore[misc]  # as above
    """See `wingbeat_tensorflow.backup`.

    Keras has one of its own, which writes weights and epoch as two files, one after the other, and each worker its own: killed
    in between, it goes on with weights of another epoch. Here it is one file, with the epoch in its name, put in place by a
    rename. Workers all save, because what they save may be summed up over them, and the first one's is kept.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        here = training.attempt()
        self._folder = None if here is None else os.path.join(here.checkpoint, f"keras-{name}")
        self._own = "" if here is None else str(here.directory)

    def on_train_begin(self, logs: Any = None) -> None:
        """Go on with the newest epoch that is there."""
        if self._folder is None or not (kept := self._kept()):
            return
        if not self.model.built:
            raise ValueError(
                "backup() needs a model that is built before fit(): give it an Input, or call it on a batch."
            )
        epoch, path = kept[-1]
        if self.model.optimizer is not None and not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(path)
        self.model._initial_epoch = epoch  # noqa: SLF001  # as Keras's own callback does

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep it, and what was kept before no longer."""
        if self._folder is None:
            return
        temporary = os.path.join(self._own, f".backup-{os.getpid()}.weights.h5")
        self.model.save_weights(temporary)
        if not training.first():
            os.unlink(temporary)
            return
        before = self._kept()
        os.makedirs(self._folder, exist_ok=True)
        _sync(temporary)
        os.rename(temporary, os.path.join(self._folder, f"epoch-{epoch + 1:06d}.weights.h5"))
        for number, path in before:
            if number != epoch + 1:
                os.unlink(path)

    def _kept(self) -> list[tuple[int, str]]:
        assert self._folder is not None
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        found = [(int(match[1]), os.path.join(self._folder, name)) for name in names if (match := _KEPT.match(name))]
        return sorted(found)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
