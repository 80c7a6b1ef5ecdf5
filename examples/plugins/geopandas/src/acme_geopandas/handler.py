"""How a GeoDataFrame is written and read."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import geopandas

WORDS = {"i": "int", "u": "int", "f": "float", "b": "bool", "M": "datetime"}
"""Types of columns by the kind of their dtype; the others are not told."""


class GeoDataFrameHandler:
    """`geopandas.GeoDataFrame`, as one file of GeoParquet. Equal frames give equal bytes: what is written has no time in it."""

    layout: ClassVar[Literal["file"]] = "file"
    name: ClassVar[str] = "shapes.parquet"

    def write(self, value: geopandas.GeoDataFrame, path: str) -> None:
        """Write the frame. Raises ValueError for one without shapes."""
        value.to_parquet(path, compression="zstd", schema_version="1.1.0")

    def read(self, path: str, hint: Any) -> geopandas.GeoDataFrame:
        """The frame, with its coordinate system. Raises what geopandas raises for what is no GeoParquet."""
        return geopandas.read_parquet(path)

    def rows(self, value: geopandas.GeoDataFrame) -> int:
        """How many shapes there are; shown where the value is shown."""
        return len(value)

    def columns(self, value: geopandas.GeoDataFrame) -> dict[str, str]:
        """Name and type of each column, for `Annotated[GeoDataFrame, Columns(...)]`."""
        return {str(name): WORDS.get(dtype.kind, "any") for name, dtype in value.dtypes.items()}
