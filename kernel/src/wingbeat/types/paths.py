"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def select(type: LiteralType, path: tuple[str | int, ...]) -> LiteralType:
    """Being written."""
    raise NotImplementedError


def pick(wire: Wire, type: LiteralType, path: tuple[str | int, ...]) -> Wire:
    """Being written."""
    raise NotImplementedError
