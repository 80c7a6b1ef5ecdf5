"""The session that the code which runs now should use."""

from __future__ import annotations

import atexit
import os
import tempfile
from typing import TYPE_CHECKING

from wingbeat.base.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_current: SparkSession | None = None


def session() -> SparkSession:
    """The Spark session.

    In a task with ``task_config=Spark(…)`` it is the task's. Elsewhere in a process of one's own it is the active session;
    if there is none, a local one is started, which lives as long as the process: so a task can be called as a plain
    function, in a test or a notebook.

    Raises:
        ConfigurationError: The task has no ``task_config=Spark(…)``, or Java or PySpark is missing.
    """
    from wingbeat_spark.local import import_pyspark, start_local, stop_local  # most users only declare

    if _current is not None:
        return _current
    active: SparkSession | None = import_pyspark().sql.SparkSession.getActiveSession()
    if active is not None:
        return active
    if "WINGBEAT_EXECUTION" in os.environ:
        raise ConfigurationError(
            f"Task {os.environ.get('WINGBEAT_TASK', '')} uses Spark, but has no session.",
            hint="Declare it with @task(task_config=Spark()).",
        )
    directory = tempfile.mkdtemp(prefix="wingbeat-spark-")
    made = start_local({}, name="wingbeat", directory=directory)
    atexit.register(stop_local, made, directory)
    return made


def give(made: SparkSession | None) -> None:
    """Have `session` answer with this one, or with none."""
    global _current  # noqa: PLW0603  # an attempt's process runs one task
    _current = made
