"""What the handlers share: a library imported on use, and the part files of a table."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["COMPRESSION", "ROW_GROUP", "is_partitioned", "library", "parts"]

COMPRESSION = "zstd"
ROW_GROUP = 1 << 17  # fixed, so that equal tables give equal bytes


def parts(path: str) -> list[str]:
    """The Parquet files of a table.

    The path itself, or the files below it as Spark and Dask write them, in order of their names.
    """
    if not os.path.isdir(path):
        return [path]
    root = Path(path)
    found = []
    for file in sorted(root.rglob("*")):
        # As every reader does: marks and checksums start with an underscore or a dot.
        if file.is_file() and not any(step.startswith(("_", ".")) for step in file.relative_to(root).parts):
            found.append(str(file))
    if not found:
        raise ValueError(f"the table at {path} has no part files")
    return found


def is_partitioned(path: str) -> bool:
    """Whether the folders below a directory say values of columns (`day=2024-02-29/`)."""
    return os.path.isdir(path) and any(
        "=" in step for file in parts(path) for step in Path(file).relative_to(path).parts[:-1]
    )


def library(name: str, needed_for: str) -> Any:
    """Import a library on use; one that is not in the task's environment is an error that says so."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f"{needed_for} needs {package}: add it to the packages of the task's environment ({error})"
        ) from error
