"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def describe(type: LiteralType) -> str:
    """Being written."""
    raise NotImplementedError
