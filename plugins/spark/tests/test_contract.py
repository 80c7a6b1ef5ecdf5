"""The wrapper and the frames keep their contracts, with PySpark and Java."""

from types import SimpleNamespace

import pytest

from wingbeat.testing.conformance.types import TypeContract
from wingbeat.testing.conformance.wrapper import WrapperContract
from wingbeat_spark.wrapper import SparkWrapper

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # PySpark warns of pandas 3
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # PySpark leaves sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class TestWrapper(WrapperContract):
    target = "wingbeat_spark.wrapper:SparkWrapper"
    config = {"memory_bytes": 2**29}
    offers = ("SparkSession", "spark")
    patience_s = 250.0


class TestFrames(TypeContract):
    plugin = "wingbeat_spark.plugin"

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def spark(tmp_path_factory):
        attempt = SimpleNamespace(
            id="x1/n0/0", directory=str(tmp_path_factory.mktemp("spark")), cpu=2.0, memory_bytes=None
        )
        wrapper = SparkWrapper({"memory_bytes": 2**29})
        wrapper.enter(attempt)
        yield
        wrapper.leave(None)

    def hint(self):
        from pyspark.sql import DataFrame

        return DataFrame

    def samples(self):
        from wingbeat_spark import session

        rows, columns = [(1, "x", None), (2, None, 1.5), (3, "z", 2.5)], "id long, s string, f double"
        frames = [session().createDataFrame(part, columns) for part in (rows[:0], rows, rows[::-1])]
        return [frame.coalesce(1) for frame in frames]  # in which order several parts are read is Spark's to choose

    def same(self, one, other):
        return one.schema == other.schema and one.collect() == other.collect()
