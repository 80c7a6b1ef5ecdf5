"""pandas frames as Parquet, through pyarrow."""

from __future__ import annotations

import json
from typing import Any, Literal

from wingbeat.runtime.handlers._shared import library
from wingbeat.runtime.handlers.pyarrow import read_arrow, word, write_arrow

__all__ = ["PandasHandler"]

# Which pandas and pyarrow wrote a frame is no part of its content.
_NOISE = {"creator", "pandas_version"}


class PandasHandler:
    """`pandas.DataFrame`. An index is kept if it has a name; one without is the rows' number, and is made anew."""

    layout: Literal["file"] = "file"
    name = "table.parquet"

    def write(self, value: Any, path: str) -> None:
        """Write one Parquet file."""
        write_arrow(_arrow(value), path)

    def read(self, path: str, hint: Any) -> Any:
        """Read a file, or a directory of part files, of any flavour."""
        table = read_arrow(path)
        library("pandas", "reading this table as a pandas.DataFrame")
        return table.to_pandas()

    def rows(self, value: Any) -> int:
        """How many rows."""
        return len(value)

    def columns(self, value: Any) -> dict[str, str]:
        """Name and type of each column.

        A named index counts as columns; the types are Arrow's, which knows what objects hold.
        """
        arrow = _arrow(value.head(1000)).schema
        return {field.name: word(field.type) for field in arrow}


def _arrow(frame: Any) -> Any:
    arrow = library("pyarrow", "a pandas.DataFrame as a value")
    names = [str(column) for column in frame.columns]
    if len(set(names)) != len(names):
        raise ValueError(f"a table's columns need distinct names, got {names}")
    named = [name for name in frame.index.names if name is not None]
    if 0 < len(named) < frame.index.nlevels:
        raise ValueError(f"an index needs a name on every level or on none, got {list(frame.index.names)}")
    table = arrow.Table.from_pandas(frame, preserve_index=bool(named))
    about = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    kept = {key: value for key, value in about.items() if key not in _NOISE}
    kept["pandas_version"] = "2.0.0"  # readers ask for it
    return table.replace_schema_metadata({b"pandas": json.dumps(kept, sort_keys=True).encode()})
