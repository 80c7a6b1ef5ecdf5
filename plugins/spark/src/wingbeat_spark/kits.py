"""What the kits have to know to test the wrapper and the frames: `wingbeat plugins check spark` runs them, and so do the tests.

They take PySpark and Java; without PySpark they are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from wingbeat.testing.conformance.types import TypeContract
from wingbeat.testing.conformance.wrapper import WrapperContract
from wingbeat_spark.wrapper import SparkWrapper

CONFIG = {"memory_bytes": 2**29}


class TestWrapper(WrapperContract):
    """A session for each attempt."""

    target = "wingbeat_spark.wrapper:SparkWrapper"
    config = CONFIG
    offers = ("SparkSession", "spark")
    patience_s: ClassVar[float] = 250.0

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _installed() -> None:
        pytest.importorskip("pyspark")


class TestFrames(TypeContract):
    """Frames of Spark, as Parquet."""

    plugin = "wingbeat_spark.plugin"

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        pytest.importorskip("pyspark")
        attempt: Any = SimpleNamespace(
            id="x1/n0/0", directory=str(tmp_path_factory.mktemp("spark")), cpu=2.0, memory_bytes=None
        )
        wrapper = SparkWrapper(CONFIG)
        wrapper.enter(attempt)
        yield
        wrapper.leave(None)

    def hint(self) -> Any:
        """What authors write."""
        from pyspark.sql import DataFrame

        return DataFrame

    def samples(self) -> list[Any]:
        """Without rows, and with some, in two orders."""
        from wingbeat_spark import session

        rows, columns = [(1, "x", None), (2, None, 1.5), (3, "z", 2.5)], "id long, s string, f double"
        frames = [session().createDataFrame(part, columns) for part in (rows[:0], rows, rows[::-1])]
        return [frame.coalesce(1) for frame in frames]  # in which order several parts are read is Spark's to choose

    def same(self, one: Any, other: Any) -> bool:
        """Whether columns and rows are equal, in their order."""
        return bool(one.schema == other.schema and one.collect() == other.collect())
