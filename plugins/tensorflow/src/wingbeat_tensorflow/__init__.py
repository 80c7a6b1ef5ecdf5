"""TensorFlow tasks for Wingbeat. Importing this does not import TensorFlow, which only the task's own environment need have."""

from __future__ import annotations

from wingbeat_tensorflow.config import TensorFlow
from wingbeat_tensorflow.given import strategy
from wingbeat_tensorflow.records import TFRecord, records, write_records
from wingbeat_tensorflow.training import backup, callbacks, curves, logdir, tensorboard

__all__ = [
    "TFRecord", "TensorFlow", "backup", "callbacks", "curves", "logdir", "records", "strategy", "tensorboard",
    "write_records",
]  # fmt: skip
