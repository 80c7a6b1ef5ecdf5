"""numpy arrays as `.npy`."""

from __future__ import annotations

from typing import Any, Literal

from wingbeat.runtime.handlers._shared import library

__all__ = ["ArrayHandler"]


class ArrayHandler:
    """`numpy.ndarray`; never with pickle inside, so arrays of objects are refused."""

    layout: Literal["file"] = "file"
    name = "array.npy"

    def write(self, value: Any, path: str) -> None:
        """Write one `.npy` file."""
        numpy = library("numpy", "writing this array")

        if value.dtype.hasobject:
            raise ValueError(
                f"an array of {value.dtype} holds Python objects, which .npy keeps only as pickle: give it a dtype"
            )
        # By file object: to a path, numpy would append its own ending.
        with open(path, "wb") as file:
            numpy.save(file, value, allow_pickle=False)

    def read(self, path: str, hint: Any) -> Any:
        """Read it into memory."""
        numpy = library("numpy", "reading this array")
        with open(path, "rb") as file:
            return numpy.load(file, allow_pickle=False)
