"""What an author says about a Spark task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from wingbeat.base.errors import CompileError
from wingbeat.base.units import parse_size
from wingbeat.spec.entities import TaskSpec, WrapperSpec

TARGET = "wingbeat_spark.wrapper:SparkWrapper"
PROVIDED = (
    "pyspark.sql.session.SparkSession",
    "pyspark.sql.classic.session.SparkSession",
    "pyspark.sql.connect.session.SparkSession",
)


@dataclass(frozen=True)
class Spark:
    """``@task(task_config=Spark(…))``: the function runs with a Spark session.

    It gets it as a parameter of type `pyspark.sql.SparkSession`, which is no input of the task, or by
    `wingbeat_spark.session()`. The session is started before the function is called and stopped after it.

    Args:
        cores: Cores of an executor; left out, those that the attempt may use.

        executors: How many executors. Local mode has one, which is the driver: there it changes nothing.

        memory: Memory of an executor (of the driver in local mode), such as ``"4Gi"``; left out, 60 % of the task's
            ``Resources(mem=…)``, or else half of the machine's, at most 4 GiB.

        conf: Settings of Spark; they win over all defaults.
    """

    cores: int | None = None
    executors: int = 1
    memory: str | int | None = None
    conf: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("cores", self.cores), ("executors", self.executors)):
            if value is not None and (type(value) is not int or value < 1):
                raise CompileError(f"Spark({name}={value!r}): it is a whole number of at least 1.")
        for key in self.conf:
            if not str(key).startswith("spark."):
                raise CompileError(f"Spark(conf=…): {key!r} is no setting of Spark; all of them start with 'spark.'.")
        self._memory_bytes()

    @property
    def provides(self) -> tuple[str, ...]:
        """The types of the session, which differ between versions and ways to connect."""
        return PROVIDED

    def configure(self, task: TaskSpec) -> TaskSpec:
        """The task, with a wrapper that starts and stops the session."""
        config: dict[str, Any] = {
            "cores": self.cores,
            "executors": self.executors if self.executors != 1 else None,
            "memory_bytes": self._memory_bytes(),
            "conf": {key: as_text(self.conf[key]) for key in sorted(self.conf)} or None,
        }
        said = {name: value for name, value in config.items() if value is not None}
        return structs.replace(task, wrappers=(*task.wrappers, WrapperSpec("spark", TARGET, said)))

    def _memory_bytes(self) -> int | None:
        if self.memory is None:
            return None
        try:
            size = parse_size(self.memory)
        except ValueError as error:
            raise CompileError(f"Spark(memory=…): {error}.") from error
        if size < 512 * 2**20:
            raise CompileError(f"Spark(memory={self.memory!r}): Spark needs at least 512Mi.")
        return size


def as_text(value: str | float | bool) -> str:
    """A setting's value as Spark writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
