"""Spark DataFrames as values: a folder of Parquet files, which every library of tables reads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from wingbeat_spark.current import session
from wingbeat_spark.footer import sort_encodings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_WORDS = {
    "boolean": "bool",
    "byte": "int",
    "short": "int",
    "integer": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "string": "str",
    "char": "str",
    "varchar": "str",
    "binary": "bytes",
    "date": "date",
    "timestamp": "datetime",
    "timestamp_ntz": "datetime",
    "array": "list",
}

_WRITING = {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}
_GLOB = re.compile(r"([\\{}\[\]*?])")


class FrameHandler:
    """`pyspark.sql.DataFrame`.

    Frames with equal rows in equal partitions and order give equal bytes: the files are numbered in the order of the
    partitions, what Spark leaves to chance in them is put in order, and nothing else is in the folder. How rows are spread
    and ordered is the author's business: a frame whose order is left to a shuffle may come out in another order, and so with
    another digest, on a machine with another number of cores; ``orderBy`` makes it certain.
    """

    layout: ClassVar[Literal["directory"]] = "directory"
    name: ClassVar[str] = "table"

    def write(self, value: DataFrame, path: str) -> None:
        """Compute the frame and write it to a new folder."""
        if value.isStreaming:
            raise ValueError("a streaming DataFrame has no end; write it with its writeStream")
        raw = f"{path}.writing"
        try:
            with _settings(value.sparkSession, _WRITING):
                value.write.parquet(_local(raw), compression="zstd")
            # Spark's own names have a random part; they begin with the number of the partition.
            files = sorted(Path(raw).glob("part-*.parquet"))
            Path(path).mkdir()
            for number, file in enumerate(files):
                sort_encodings(file)
                file.rename(Path(path, f"part-{number:05d}.parquet"))
        finally:
            shutil.rmtree(raw, ignore_errors=True)

    def read(self, path: str, hint: Any) -> DataFrame:
        """A frame over the file or folder, whoever wrote it. It is read when it is used."""
        spark = session()
        nanos = _nanosecond_columns(spark, _first_file(path))
        if nanos:
            # Spark has microseconds only, and refuses these columns unless it may take them for numbers.
            spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
        frame = spark.read.parquet(_GLOB.sub(r"\\\1", _local(path)))
        return frame.withColumns({name: _timestamp(name, utc=utc) for name, utc in nanos.items()}) if nanos else frame

    def columns(self, value: DataFrame) -> dict[str, str]:
        """Name and type of each column."""
        return {field.name: _WORDS.get(field.dataType.typeName(), "any") for field in value.schema.fields}


def _local(path: str) -> str:
    # Not a URI: Spark takes the rest as it is, without percent signs to decode.
    return f"file:{os.path.abspath(path)}"


def _first_file(path: str) -> str:
    """One of the Parquet files; all of them have the same columns."""
    if not os.path.isdir(path):
        return path
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(files):
            if not name.startswith((".", "_")):
                return os.path.join(folder, name)
    raise ValueError(f"the table at {path} has no files")


def _nanosecond_columns(spark: Any, file: str) -> dict[str, bool]:
    """Columns that hold points in time to the nanosecond, as pandas writes them, and whether they are in UTC."""
    jvm = spark._jvm  # noqa: SLF001  # the footer as Spark's own reader sees it; PySpark has no other way
    hadoop = spark._jsc.hadoopConfiguration()  # noqa: SLF001  # as above
    where = jvm.org.apache.hadoop.fs.Path(_local(file))
    source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(where, hadoop)
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
    try:
        schema = reader.getFooter().getFileMetaData().getSchema()
    finally:
        reader.close()
    found = {}
    for number in range(schema.getFieldCount()):
        column = schema.getType(number)
        meaning = column.getLogicalTypeAnnotation()
        if meaning is not None and meaning.toString().startswith("TIMESTAMP(NANOS"):
            found[column.getName()] = bool(meaning.isAdjustedToUTC())
    return found


def _timestamp(name: str, *, utc: bool) -> Column:
    """A column of nanoseconds since 1970 as a timestamp, cut to microseconds."""
    from pyspark.sql import functions as f

    quoted = "`{}`".format(name.replace("`", "``"))
    if utc:
        return f.expr(f"timestamp_micros({quoted} div 1000)")
    # Through an interval, because a cast would go by the session's time zone.
    seconds = f"cast(cast({quoted} div 1000 as decimal(20, 0)) / 1000000 as decimal(18, 6))"
    return f.expr(f"timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(0, 0, 0, {seconds})")


@contextlib.contextmanager
def _settings(spark: SparkSession, chosen: dict[str, str]) -> Iterator[None]:
    before = {name: spark.conf.get(name, None) for name in chosen}
    for name, value in chosen.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, old)
