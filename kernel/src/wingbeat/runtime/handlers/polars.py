"""polars frames as Parquet, by polars itself."""

from __future__ import annotations

from typing import Any, Literal

from wingbeat.runtime.handlers._shared import COMPRESSION, ROW_GROUP, is_partitioned, library, parts

__all__ = ["PolarsHandler"]


class PolarsHandler:
    """`polars.DataFrame` and `polars.LazyFrame`."""

    layout: Literal["file"] = "file"
    name = "table.parquet"

    def write(self, value: Any, path: str) -> None:
        """Write one Parquet file."""
        frame = _collected(value)
        # In one piece: how a frame is chunked is no part of its content, but would show in the pages.
        frame.rechunk().write_parquet(path, compression=COMPRESSION, row_group_size=ROW_GROUP)

    def read(self, path: str, hint: Any) -> Any:
        """Read a file, or a directory of part files, of any flavour; a LazyFrame stays lazy."""
        polars = library("polars", "reading this table as a polars frame")
        lazy = polars.scan_parquet(parts(path), hive_partitioning=is_partitioned(path), glob=False)
        return lazy if hint is polars.LazyFrame else lazy.collect()

    def rows(self, value: Any) -> int | None:
        """How many rows; unknown while it is lazy."""
        height = getattr(value, "height", None)
        return None if height is None else int(height)

    def columns(self, value: Any) -> dict[str, str]:
        """Name and type of each column."""
        return {name: _word(dtype) for name, dtype in value.collect_schema().items()}


def _collected(value: Any) -> Any:
    return value.collect() if hasattr(value, "collect") else value


def _word(dtype: Any) -> str:
    base = str(dtype.base_type()).partition("(")[0]
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    words = {
        "Boolean": "bool",
        "String": "str",
        "Categorical": "str",
        "Enum": "str",
        "Binary": "bytes",
        "Datetime": "datetime",
        "Date": "date",
        "Duration": "timedelta",
        "List": "list",
    }
    return words.get(base, "any")
