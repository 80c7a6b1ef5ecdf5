"""pyarrow tables as Parquet; the pandas handler stands on this one."""

from __future__ import annotations

import os
from typing import Any, Literal

from wingbeat.runtime.handlers._shared import COMPRESSION, ROW_GROUP, library, parts

__all__ = ["ArrowHandler", "read_arrow", "word", "write_arrow"]


class ArrowHandler:
    """`pyarrow.Table`."""

    layout: Literal["file"] = "file"
    name = "table.parquet"

    def write(self, value: Any, path: str) -> None:
        """Write one Parquet file."""
        write_arrow(value, path)

    def read(self, path: str, hint: Any) -> Any:
        """Read a file, or a directory of part files."""
        return read_arrow(path)

    def rows(self, value: Any) -> int:
        """How many rows."""
        return int(value.num_rows)

    def columns(self, value: Any) -> dict[str, str]:
        """Name and type of each column."""
        return {field.name: word(field.type) for field in value.schema}


def write_arrow(table: Any, path: str) -> None:
    """Write a table so that equal tables give equal bytes, whatever chunks they are made of."""
    parquet = library("pyarrow.parquet", "writing this table")
    parquet.write_table(table.combine_chunks(), path, compression=COMPRESSION, row_group_size=ROW_GROUP)


def read_arrow(path: str) -> Any:
    """Read a table, with the columns that its folders' names say."""
    parquet = library("pyarrow.parquet", "reading this table")
    if not os.path.isdir(path):
        # By file object: from a path, pyarrow would read `key=value` in folders of the store as columns.
        with open(path, "rb") as file:
            return parquet.ParquetFile(file).read()
    parts(path)
    dataset = library("pyarrow.dataset", "reading this table")
    return dataset.dataset(path, format="parquet", partitioning="hive").to_table()


def word(type: Any) -> str:
    """The literal type's word for an Arrow type."""
    types = library("pyarrow.types", "this table")

    if types.is_dictionary(type):
        return word(type.value_type)
    table = (
        ("bool", types.is_boolean),
        ("int", types.is_integer),
        ("float", types.is_floating),
        ("str", types.is_string),
        ("str", types.is_large_string),
        ("bytes", types.is_binary),
        ("bytes", types.is_large_binary),
        ("datetime", types.is_timestamp),
        ("date", types.is_date),
        ("timedelta", types.is_duration),
        ("none", types.is_null),
    )
    found = next((name for name, test in table if test(type)), None)
    if found == "none":
        return "any"
    if found is None and getattr(types, "is_string_view", lambda _: False)(type):
        return "str"
    if found is None and (types.is_list(type) or types.is_large_list(type)):
        return "list"
    return found or "any"
