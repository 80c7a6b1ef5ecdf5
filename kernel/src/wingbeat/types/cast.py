"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def compatible(src: LiteralType, dst: LiteralType) -> str | None:
    """Being written."""
    raise NotImplementedError


def needs_conversion(src: LiteralType, dst: LiteralType) -> bool:
    """Being written."""
    raise NotImplementedError


def convert(wire: Wire, src: LiteralType, dst: LiteralType) -> Wire:
    """Being written."""
    raise NotImplementedError
