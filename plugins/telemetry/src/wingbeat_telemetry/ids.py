"""Ids of traces and spans, and what an attempt is told of them. Pure: made of names, so that whoever asks again, after a restart
too, finds the same trace and the same spans."""

from __future__ import annotations

from hashlib import sha256


def trace_id(seed: str, execution: str) -> int:
    """The trace of an execution."""
    return int.from_bytes(sha256(f"{seed}/{execution}".encode()).digest()[:16], "big") or 1


def span_id(seed: str, name: str) -> int:
    """A span: of an execution, of ``execution/node``, or of an attempt by its id."""
    return int.from_bytes(sha256(f"{seed}/span/{name}".encode()).digest()[:8], "big") or 1


def traceparent(trace: int, span: int, *, sampled: bool) -> str:
    """A span as W3C Trace Context writes it."""
    return f"00-{trace:032x}-{span:016x}-{'01' if sampled else '00'}"
