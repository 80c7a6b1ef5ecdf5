"""The wrapper and the frames keep their contracts, with PySpark and Java."""

import pytest

from wingbeat_spark.kits import TestFrames, TestWrapper

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # PySpark warns of pandas 3
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # PySpark leaves sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

__all__ = ["TestFrames", "TestWrapper"]
