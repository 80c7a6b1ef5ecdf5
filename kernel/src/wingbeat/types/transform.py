"""Being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wingbeat.types.model import BlobIO, Codec, LiteralType, Wire


def codec(hint: object) -> Codec:
    """Being written."""
    raise NotImplementedError


def literal_type(hint: object) -> LiteralType:
    """Being written."""
    raise NotImplementedError


def annotation_doc(hint: object) -> str:
    """Being written."""
    raise NotImplementedError
