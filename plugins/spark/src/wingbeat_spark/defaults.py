"""The settings of a session in local mode. Pure."""

from __future__ import annotations

from collections.abc import Mapping

MEMORY_SHARE = 0.6
"""Share of the task's memory that the JVM's heap gets: the rest is for what the JVM and Python need beside it."""

_MIB = 2**20
_HEAP_MIN, _HEAP_MAX = 512 * _MIB, 4096 * _MIB


def heap_bytes(asked: int | None, limit: int | None, machine: int) -> int:
    """The JVM's heap: what was asked for, else a share of the attempt's limit, else half of the machine up to 4 GiB."""
    if asked is not None:
        return asked
    if limit is not None:
        return max(_HEAP_MIN, int(limit * MEMORY_SHARE))
    return max(_HEAP_MIN, min(machine // 2, _HEAP_MAX))


def local_settings(conf: Mapping[str, str], *, name: str, cores: int, heap: int, directory: str) -> dict[str, str]:
    """Every setting of a local session; `conf` wins, and `directory` is for all that Spark writes beside its results."""
    java = f'-XX:-UsePerfData "-Djava.io.tmpdir={directory}/java"'
    extra = conf.get("spark.driver.extraJavaOptions", "")
    return {
        "spark.app.name": name,
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": f"{heap // _MIB}m",
        # Nobody else is to reach it, and a machine without a resolvable name is to run it.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "WARN",
        "spark.local.dir": f"{directory}/local",
        "spark.sql.warehouse.dir": f"{directory}/warehouse",
        "spark.sql.catalogImplementation": "in-memory",
        # Spark's default of 200 is for clusters; here most of them would be empty tasks.
        "spark.sql.shuffle.partitions": str(max(4, 2 * cores)),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Dates are written so that others need not guess what they mean, and results take as little room as others' do.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        **conf,
        "spark.driver.extraJavaOptions": f"{extra} {java}".strip(),
    }
