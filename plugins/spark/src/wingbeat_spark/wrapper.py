"""What is entered around a Spark task's function, inside the attempt's process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wingbeat_spark.current import give
from wingbeat_spark.local import import_pyspark, start_local, stop_local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from wingbeat.contracts.wrapper import AttemptInfo


class SparkWrapper:
    """A `wingbeat.contracts.wrapper.Wrapper`: a Spark session in local mode for one attempt.

    Its JVM is a child of the attempt's process and ends with it: `leave` waits for its end; if the attempt is killed, the
    JVM dies in the same process group, and by itself when its standard input is closed.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._session: SparkSession | None = None
        self._directory = ""

    def enter(self, attempt: AttemptInfo) -> dict[type | str, Any]:
        """Start the session, and offer it by its type."""
        self._directory = os.path.join(attempt.directory, "spark")
        self._session = start_local(
            self._config,
            name=attempt.id,
            directory=self._directory,
            cpu=attempt.cpu,
            memory_bytes=attempt.memory_bytes,
        )
        give(self._session)
        return {import_pyspark().sql.SparkSession: self._session, "spark": self._session}

    def leave(self, error: BaseException | None) -> None:
        """Stop the session and its JVM."""
        give(None)
        if self._session is not None:
            stop_local(self._session, self._directory)
            self._session = None
