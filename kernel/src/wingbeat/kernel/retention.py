"""What is kept, and for how long; and what refers to what. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.contracts.journal import Record
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.engine.children import PARENT
from wingbeat.spec.phase import ExecutionPhase

DAY_S = 86_400.0
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
DIGEST_LENGTH = 71


class Over(Struct, frozen=True):
    """An execution whose time is over, and the one that has launched it."""

    execution: str
    parent: str


def is_over(record: Record, days: float, now: float) -> bool:
    """Whether the time of an execution is over. One that cannot be believed stays."""
    if record.damaged or record.doubtful or record.ended_at is None or not ExecutionPhase(record.phase).terminal:
        return False
    own = _days(record.labels)
    kept_days = days if own is None else own
    return kept_days > 0 and record.ended_at + kept_days * DAY_S <= now


def _days(labels: Mapping[str, str]) -> float | None:
    try:
        found = float(labels[RETENTION_LABEL])
    except (KeyError, ValueError):
        return None
    return found if math.isfinite(found) else None


def over_of(record: Record) -> Over:
    """An execution whose time is over."""
    return Over(record.execution, record.labels.get(PARENT, "").partition("/")[0])


def with_parents(found: Iterable[Over], kept: set[str]) -> list[str]:
    """Those of which the parent goes as well, or is gone: who looks at an execution looks at its children, too.

    Args:
        found: The oldest first, so that parents come before their children.

        kept: Executions that stay; what stays of `found` is added.
    """
    going = []
    for one in found:
        if one.parent in kept:
            kept.add(one.execution)
        else:
            going.append(one.execution)
    return going


def digests(data: bytes) -> set[str]:
    """Every digest that stands in `data`, whatever it is: rather one too many than one too few."""
    return {found.decode() for found in _DIGEST.findall(data)}


def offloaded(value: Any) -> Iterator[tuple[str, int]]:
    """URI and size of values that are in storage themselves, and so may hold references, in decoded literals."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list):
            if len(one) == 4 and one[0] == "r" and isinstance(one[1], str) and isinstance(one[2], int):
                yield one[1], one[2]
            else:
                todo += one


def decoded(body: bytes) -> Any:
    """Literals or facts, or what holds some, as plain data. None for what is neither MessagePack nor JSON."""
    for decode in (msgspec.json.decode, msgspec.msgpack.decode) if body[:1] == b"{" else (msgspec.msgpack.decode,):
        try:
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return None
