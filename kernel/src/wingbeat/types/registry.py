"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def register(qualified_name: str, literal_type: LiteralType, handler: str) -> None:
    """Being written."""
    raise NotImplementedError


def register_fallback(load: Callable[[], None]) -> None:
    """Being written."""
    raise NotImplementedError
