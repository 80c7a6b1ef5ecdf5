"""A Spark session in local mode: its start, and its end with the JVM that it ran in."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wingbeat.base.errors import ConfigurationError
from wingbeat_spark.defaults import heap_bytes, local_settings
from wingbeat_spark.java import check_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_GRACE_S = 10.0


def import_pyspark() -> Any:
    """PySpark, or an error that says how to get it."""
    try:
        import pyspark.sql
    except ImportError as error:
        raise ConfigurationError(
            f"PySpark is not in the environment of this task ({error}).",
            hint='pip install "wingbeat-spark[pyspark]", or add "pyspark" to the packages of the task\'s Environment.',
        ) from None
    return pyspark


def start_local(
    config: Mapping[str, Any], *, name: str, directory: str, cpu: float | None = None, memory_bytes: int | None = None
) -> SparkSession:
    """Start a JVM and a session in it, which writes below `directory` only.

    Raises:
        ConfigurationError: Java or PySpark is missing, or this process has a session already.
    """
    pyspark = import_pyspark()
    check_java()
    if pyspark.SparkContext._active_spark_context is not None:  # noqa: SLF001  # getOrCreate would hand out that one
        raise ConfigurationError(
            "There is a Spark session in this process already.",
            hint="A Spark task gets its session from Wingbeat: make none where the module is imported.",
        )
    cores = config.get("cores") or max(1, math.ceil(cpu or _cpus()))
    heap = heap_bytes(config.get("memory_bytes"), memory_bytes, _machine_bytes())
    settings = local_settings(config.get("conf", {}), name=name, cores=cores, heap=heap, directory=directory)
    for folder in ("java", "local", "warehouse"):
        Path(directory, folder).mkdir(parents=True, exist_ok=True)
    with _environment(pyspark):
        builder = pyspark.sql.SparkSession.builder.config(map=settings)
        made: SparkSession = builder.getOrCreate()
    return made


def stop_local(session: SparkSession, directory: str) -> None:
    """Stop the session and its JVM, and remove what it wrote below `directory`. Returns when the JVM is gone."""
    context_class = import_pyspark().SparkContext
    gateway = context_class._gateway  # noqa: SLF001  # PySpark stops the session, but keeps its JVM to the end
    try:
        session.stop()
    finally:
        context_class._gateway = context_class._jvm = None  # noqa: SLF001  # the next session starts a JVM of its own
        if gateway is not None:
            _end(gateway)
        shutil.rmtree(directory, ignore_errors=True)


def _end(gateway: Any) -> None:
    with contextlib.suppress(Exception):  # whatever is said on the way out, the process has to go
        gateway.shutdown()
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    if process is None:
        return
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()  # the JVM ends when its standard input does
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _environment(pyspark: Any) -> Iterator[None]:
    """What a starting JVM reads of the environment: Spark and Python as they are here, whatever the machine has beside."""
    chosen = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    home = Path(pyspark.__file__).parent
    if (home / "jars").is_dir():
        chosen["SPARK_HOME"] = str(home)
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 8 * 2**30
