"""What is entered around a TensorFlow task's function, inside of each of its processes."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

from wingbeat.base.errors import ConfigurationError
from wingbeat_tensorflow.cluster import serves, tf_config, trains
from wingbeat_tensorflow.given import give

if TYPE_CHECKING:
    from wingbeat.contracts.wrapper import AttemptInfo


def import_tensorflow() -> Any:
    """TensorFlow, or an error that says how to get it."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ConfigurationError(
            f"TensorFlow is not in the environment of this task ({error}).",
            hint='pip install "wingbeat-tensorflow[cpu]" (or [tensorflow]), or add "tensorflow-cpu" to the packages of the '
            "task's Environment.",
        ) from None
    return tf


class TensorFlowWrapper:
    """A `wingbeat.contracts.wrapper.Wrapper`: ``TF_CONFIG``, threads and the strategy of one process."""

    patience_s = math.inf
    """It waits for the other processes, which may train for days; a gang ends with the first that fails."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._with_strategy = config.get("strategy", True)
        self._together: Any = None

    def enter(self, attempt: AttemptInfo) -> dict[type | str, Any]:
        """Offer the strategy by its type. A process that serves a chief stays in here until it is stopped."""
        member = attempt.member
        if member is not None:
            os.environ["TF_CONFIG"] = tf_config(member)
        threads = None if attempt.cpu is None else max(1, math.ceil(attempt.cpu))
        if threads is not None:
            for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ.setdefault(name, str(threads))
        tf = import_tensorflow()
        if threads is not None:
            _limit_threads(tf, threads)
        if not self._with_strategy:
            return {}
        if member is None:
            made = tf.distribute.get_strategy()
        elif serves(member):
            _serve(tf)
        elif trains(member):
            from wingbeat_tensorflow.mended import mend_keras

            mend_keras()
            made = self._together = tf.distribute.MultiWorkerMirroredStrategy()
        elif member.role == "chief":
            made = tf.distribute.ParameterServerStrategy(tf.distribute.cluster_resolver.TFConfigClusterResolver())
        else:
            made = tf.distribute.get_strategy()
        give(made)
        return {type(made): made}

    def leave(self, error: BaseException | None) -> None:
        """Wait for the others: to those that still work, one that is gone has failed."""
        if self._together is not None and error is None:
            self._together.reduce("SUM", import_tensorflow().constant(1.0), axis=None)


def _limit_threads(tf: Any, threads: int) -> None:
    """Also where a module has imported TensorFlow before, unless it has computed something with it."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        sys.stderr.write(f"wingbeat: TensorFlow is not kept to {threads} threads: {error}\n")


def _serve(tf: Any) -> None:
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    server = tf.distribute.Server(
        resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id, protocol="grpc", start=True
    )
    server.join()
