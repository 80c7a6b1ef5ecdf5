"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def digest(wire: Wire, type: LiteralType) -> str:
    """Being written."""
    raise NotImplementedError


def has_blobs(type: LiteralType) -> bool:
    """Being written."""
    raise NotImplementedError
