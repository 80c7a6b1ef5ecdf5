"""Callbacks of Keras that know of the attempt: how far it is, its page, its TensorBoard logs, its checkpoint.

None of them needs an attempt: called in a plain program, what they would tell goes nowhere.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from wingbeat import current
from wingbeat.contracts.gang import member_of

FIT = "fit"


def logdir(name: str = "tensorboard") -> str:
    """A folder for logs in the attempt's directory (of a gang's later members in their own), for ``tensorboard --logdir``."""
    return os.path.join(_directory(), name)


def tensorboard(**options: Any) -> Any:
    """A `keras.callbacks.TensorBoard` that writes to `logdir()`.

    Args:
        options: Of that class.
    """
    import keras

    return keras.callbacks.TensorBoard(log_dir=logdir(), **options)


def curves(name: str = FIT) -> Any:
    """A callback that reports each epoch as progress, and at the end puts the learning curves on the attempt's page: each
    metric in training and validation. With `backup` they begin where the first attempt began.

    Args:
        name: Of this call of ``fit``, if the task makes several.
    """
    from wingbeat_tensorflow.keras_callbacks import Curves

    return Curves(name)


def backup(name: str = FIT) -> Any:
    """A callback that keeps the model's weights and optimizer after each epoch in the attempt's checkpoint, and begins with
    what is there: so an attempt that is tried again goes on at the epoch at which it was.

    The model has to be built when ``fit`` is called. After the last epoch the checkpoint stays, so that what comes behind
    ``fit`` can be tried again without it.

    Args:
        name: Of this call of ``fit``, if the task makes several.
    """
    from wingbeat_tensorflow.keras_callbacks import Backup

    return Backup(name)


def callbacks(name: str = FIT) -> list[Any]:
    """All of them: `backup`, `curves`, and `tensorboard` where that is installed. For ``model.fit(…, callbacks=callbacks())``."""
    from importlib.util import find_spec

    boards = [tensorboard()] if find_spec("tensorboard") is not None else []
    return [backup(name), curves(name), *boards]


def first() -> bool:
    """Whether this process speaks for the attempt."""
    member = member_of(os.environ)
    return member is None or member.first


def attempt() -> Any:
    """The attempt; None outside of one."""
    try:
        return current()
    except RuntimeError:
        return None


def _directory() -> str:
    here = attempt()
    return tempfile.mkdtemp(prefix="wingbeat-tensorflow-") if here is None else str(here.directory)
