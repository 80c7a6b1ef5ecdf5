"""The strategy that the code which runs now should use."""

from __future__ import annotations

from typing import Any

_given: Any = None


def strategy() -> Any:
    """The `tf.distribute.Strategy` of the task, anywhere in the code that it calls; elsewhere the one that TensorFlow has in
    force. For tasks whose module is compiled where TensorFlow is not installed, so that none of them can be a parameter's type.
    """
    if _given is not None:
        return _given
    from wingbeat_tensorflow.wrapper import import_tensorflow

    return import_tensorflow().distribute.get_strategy()


def give(made: Any) -> None:
    """Have `strategy` answer with this one."""
    global _given  # noqa: PLW0603  # an attempt's process runs one task
    _given = made
