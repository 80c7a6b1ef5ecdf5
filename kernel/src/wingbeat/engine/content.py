"""What in storage the outputs of a task refer to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.literal import Inline, Literals, Offloaded
from wingbeat.types import Blob, LiteralType, has_blobs


def stored(task: TaskSpec, outputs: Literals) -> Iterator[Blob]:
    """Everything in storage that values refer to. What is inside an offloaded value was stored before it."""
    for variable in task.interface.outputs:
        yield from _stored(outputs.get(variable.name), variable.type)


def size_of(outputs: Literals) -> int:
    """Bytes that the outputs take, with the files that they refer to; a small value counts as a quarter of a KiB."""
    return sum(
        value.size if isinstance(value, Offloaded) else 256 + sum(b.size for b in _blobs(getattr(value, "value", None)))
        for value in outputs.values()
    )


def _stored(literal: Any, type_: LiteralType) -> Iterator[Blob]:
    if isinstance(literal, Offloaded):
        yield Blob(uri=literal.uri, digest=literal.uri.partition(":")[2], size=literal.size, name="")
    elif isinstance(literal, Inline) and has_blobs(type_):
        yield from _blobs(literal.value)


def _blobs(wire: Any) -> Iterator[Blob]:
    """Every blob's wire inside a wire value of a type that holds blobs."""
    if isinstance(wire, list):
        for item in wire:
            yield from _blobs(item)
    elif isinstance(wire, dict):
        if {"uri", "digest", "size", "name"} <= wire.keys():
            yield msgspec.convert(wire, Blob)
        else:
            for item in wire.values():
                yield from _blobs(item)
