"""Values that their author asks to pickle, by name."""

from __future__ import annotations

import pickle
from typing import Any, Literal

__all__ = ["PickleHandler"]


class PickleHandler:
    """Anything that pickle takes. Reading runs code from the file: it is used only where a type says `Pickle`."""

    layout: Literal["file"] = "file"
    name = "value.pickle"

    def write(self, value: Any, path: str) -> None:
        """Write one pickle."""
        with open(path, "wb") as file:
            pickle.dump(value, file, protocol=5)

    def read(self, path: str, hint: Any) -> Any:
        """Read it."""
        with open(path, "rb") as file:
            return pickle.load(file)  # noqa: S301  # the author asked for pickle by name
