"""Keras 3 with several workers. Its `fit`, `evaluate` and `predict` do not work under a `MultiWorkerMirroredStrategy` up to this
day (keras-team/keras#20585): a batch that is spread over workers is taken for a tensor, and the mean of a scalar over workers for
one along its first dimension. Both are mended here, in the task's process alone, where what is mended is as it is known.
"""

from __future__ import annotations

import sys
from typing import Any

_MENDED = "_wingbeat_mended"


def mend_keras() -> None:
    """Have this process's Keras train with several workers; fine if it does already, or is another version of Keras."""
    try:
        from keras.src.backend.tensorflow import trainer
    except ImportError:
        return  # Keras 2 knows workers
    kind = getattr(trainer, "TensorFlowTrainer", None)
    names = ("reduce_per_replica", "_collective_all_reduce_multi_worker")
    if not hasattr(kind, "_maybe_symbolic_build") or not all(hasattr(trainer, name) for name in names):
        sys.stderr.write("wingbeat: this version of Keras is not known; it may not train with several workers\n")
        return
    if not getattr(trainer, _MENDED, False):
        _mend(trainer, kind)
        setattr(trainer, _MENDED, True)


def _mend(trainer: Any, kind: Any) -> None:
    build, reduce = kind._maybe_symbolic_build, trainer.reduce_per_replica  # noqa: SLF001  # what is mended

    def maybe_symbolic_build(self: Any, iterator: Any = None, data_batch: Any = None) -> Any:
        strategy = self._distribute_strategy  # as above
        if iterator is not None and trainer._collective_all_reduce_multi_worker(strategy):  # noqa: SLF001  # as above
            batch = next(next(iter(iterator))[2])
            # Its shapes and types are all that is looked at.
            data_batch = trainer.tree.map_structure(lambda x: strategy.experimental_local_results(x)[0], batch)
            iterator = None
        return build(self, iterator=iterator, data_batch=data_batch)

    def reduce_per_replica(values: Any, strategy: Any, reduction: str) -> Any:
        multi = trainer._collective_all_reduce_multi_worker(strategy)  # noqa: SLF001  # as above
        if reduction in ("auto", "mean") and multi:
            return trainer.tree.map_structure(lambda x: strategy.reduce("MEAN", x, axis=None), values)
        return reduce(values, strategy, reduction)

    kind._maybe_symbolic_build = maybe_symbolic_build  # noqa: SLF001  # as above
    trainer.reduce_per_replica = reduce_per_replica
