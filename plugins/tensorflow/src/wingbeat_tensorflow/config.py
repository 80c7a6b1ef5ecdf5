"""What an author says about a TensorFlow task."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs

from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import Isolation, TaskSpec, WrapperSpec
from wingbeat.spec.gang import MEMBERS_MAX, GangSpec, RoleSpec

TARGET = "wingbeat_tensorflow.wrapper:TensorFlowWrapper"
PROVIDED = (
    "tensorflow.python.distribute.distribute_lib.Strategy",
    "tensorflow.python.distribute.collective_all_reduce_strategy.CollectiveAllReduceStrategy",
    "tensorflow.python.distribute.parameter_server_strategy_v2.ParameterServerStrategyV2",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}
"""In the process's environment from its start: a module that imports TensorFlow does so before any wrapper is entered."""


@dataclass(frozen=True)
class TensorFlow:
    """``@task(task_config=TensorFlow(…))``: the function runs with TensorFlow, in one process or in several.

    It may take its distribution strategy as a parameter of type `tf.distribute.Strategy`, which is no input of the task. With
    several processes each runs the function with the same inputs, ``TF_CONFIG`` says where the others are, and the outputs are
    those of the chief, or of the first worker if there is none.

    Args:
        workers: Processes that train.

        chief: 1 for one more worker, which leads them. Without it the first worker does.

        ps: Parameter servers; they need a chief. Then only the chief runs the function; workers and servers wait for what it
            asks of them.

        evaluator: 1 for a process beside the training, which may go on for ever: it is stopped when the others have succeeded.

        strategy: Whether the strategy is made. Without, ``TF_CONFIG`` is all that the function finds, in every process.
    """

    workers: int = 1
    chief: int = 0
    ps: int = 0
    evaluator: int = 0
    strategy: bool = True

    def __post_init__(self) -> None:
        counts = {"workers": self.workers, "chief": self.chief, "ps": self.ps, "evaluator": self.evaluator}
        for name, value in counts.items():
            if type(value) is not int or value < 0:
                raise CompileError(f"TensorFlow({name}={value!r}): it is a whole number from 0 on.")
            if name in ("chief", "evaluator") and value > 1:
                raise CompileError(f"TensorFlow({name}={value}): there is at most one.")
        if not self.workers and not self.chief:
            raise CompileError("TensorFlow(workers=0): somebody has to train; workers=1 is one process.")
        if self.ps and not (self.chief and self.workers):
            raise CompileError(f"TensorFlow(ps={self.ps}): parameter servers need chief=1 and workers.")
        if sum(counts.values()) > MEMBERS_MAX:
            raise CompileError(f"{self}: there are at most {MEMBERS_MAX} processes.")

    @property
    def provides(self) -> tuple[str, ...]:
        """The types of the strategy."""
        return PROVIDED

    @property
    def gang(self) -> GangSpec | None:
        """Its processes; None if it is one."""
        serves = self.ps > 0
        roles = (
            ("chief", self.chief, False),
            ("worker", self.workers, serves),
            ("ps", self.ps, True),
            ("evaluator", self.evaluator, True),
        )
        made = GangSpec(tuple(RoleSpec(name, count, stays) for name, count, stays in roles if count))
        return made if made.size > 1 else None

    def configure(self, task: TaskSpec) -> TaskSpec:
        """The task, with its gang and a wrapper; in fresh interpreters, as TensorFlow does not survive a fork."""
        config = {} if self.strategy else {"strategy": False}
        return structs.replace(
            task,
            gang=self.gang,
            isolation=Isolation.SPAWN,
            variables=QUIET | task.variables,
            wrappers=(*task.wrappers, WrapperSpec("tensorflow", TARGET, config)),
        )
