"""XGBoost models in their own binary format (UBJ), the same for `Booster` and the scikit-learn wrappers."""

from __future__ import annotations

import os
from typing import Any, Literal

from wingbeat.runtime.handlers._shared import library

__all__ = ["BoosterHandler"]


class BoosterHandler:
    """`xgboost.Booster`, and `xgboost.XGBModel` with all its subclasses."""

    layout: Literal["file"] = "file"
    name = "model.ubj"

    def write(self, value: Any, path: str) -> None:
        """Write one UBJ file."""
        # XGBoost chooses the format by the ending.
        ubj = path if path.endswith(".ubj") else f"{path}.ubj"
        value.save_model(ubj)
        os.replace(ubj, path)

    def read(self, path: str, hint: Any) -> Any:
        """Read it as the class that is asked for."""
        xgboost = library("xgboost", "reading this model")
        cls = hint if isinstance(hint, type) else xgboost.Booster
        model = cls()
        with open(path, "rb") as file:
            model.load_model(bytearray(file.read()))
        return model
