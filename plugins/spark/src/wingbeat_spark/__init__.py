"""Spark tasks for Wingbeat. Importing this does not import PySpark, which only the task's own environment need have."""

from __future__ import annotations

from wingbeat_spark.config import Spark
from wingbeat_spark.current import session

__all__ = ["Spark", "session"]
