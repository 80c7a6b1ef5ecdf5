"""Durations, sizes, counts and sentences: how people write them, how they are printed."""

from __future__ import annotations

import re
from datetime import timedelta

_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*\Z", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|d|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str | int) -> int:
    """Bytes from ``"512Mi"``, ``"2G"``, ``"100k"`` or a plain number of bytes.

    Raises:
        ValueError: It is not a size.
    """
    if isinstance(text, int):
        return text
    found = _SIZE.match(text)
    if not found:
        raise ValueError(f"{text!r} is not a size; write for example '512Mi' or '2G'")
    return int(float(found[1]) * _SIZES[(found[2] or "").lower()])


def format_size(size: float) -> str:
    """``1536`` as ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def parse_duration_s(text: str | float | timedelta) -> float:
    """Seconds from ``"90s"``, ``"1h30m"``, ``"250ms"``, a `timedelta`, or a plain number of seconds.

    Raises:
        ValueError: It is not a duration.
    """
    if isinstance(text, timedelta):
        return text.total_seconds()
    if isinstance(text, int | float):
        return float(text)
    compact = text.strip().replace(" ", "")
    parts = _DURATION.findall(compact)
    if not parts or "".join(n + u for n, u in parts) != compact:
        raise ValueError(f"{text!r} is not a duration; write for example '90s' or '1h30m'")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """``95.2`` as ``1m 35s``, ``0.0123`` as ``12 ms``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s"


def counted(number: int, noun: str) -> str:
    """``1`` and ``"item"`` as ``1 item``, any other number of them as ``2 items``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence(text: str) -> str:
    """The text as what another sentence can follow: it ends with a full stop, if with no other mark."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
