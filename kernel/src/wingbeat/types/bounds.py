"""Stub."""

from __future__ import annotations


def check_depth(data: bytes, depth_max: int = 64, nodes_max: int = 1_000_000) -> None:
    """Not there yet."""
    raise NotImplementedError
