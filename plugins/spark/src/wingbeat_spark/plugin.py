"""What the Spark plugin offers to the kernel: its hook implementations."""

from __future__ import annotations

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.types import TableType, register

FRAMES = (
    "pyspark.sql.dataframe.DataFrame",
    "pyspark.sql.classic.dataframe.DataFrame",
    "pyspark.sql.connect.dataframe.DataFrame",
)


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the contracts in which wrappers have names; has no settings."""
    return PluginInfo(api=(0, 3), kits=("wingbeat_spark.kits:TestWrapper", "wingbeat_spark.kits:TestFrames"))


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the wrapper of `wingbeat_spark.Spark`."""
    registrar.wrapper("spark", "wingbeat_spark.wrapper:SparkWrapper")


@hookimpl
def wingbeat_types() -> None:
    """Offer Spark's DataFrame as a table."""
    register(FRAMES, TableType(), "wingbeat_spark.frames:FrameHandler", subclasses=True)
