"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def decode_generic(wire: Wire, type: LiteralType, io: BlobIO) -> Any:
    """Being written."""
    raise NotImplementedError


def encode_generic(value: object, type: LiteralType, io: BlobIO) -> Wire:
    """Being written."""
    raise NotImplementedError
