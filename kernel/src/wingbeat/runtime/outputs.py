"""From what a function returned to the literals of its outputs."""

from __future__ import annotations

from typing import Any

from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.whole import literal_of
from wingbeat.types import ValueMismatch, codec
from wingbeat.types.returns import split_return


class OutputError(TypeError):
    """What a task returned is not what its outputs declare."""


def encode_outputs(task: str, value: object, hint: object, io: StorageIO) -> Literals:
    """Check `value`, which was returned under the annotation `hint`, and encode it.

    Raises:
        OutputError: It is of another type; says which output, what was expected and found.
    """
    return {name: _encode(task, name, part, inner, io) for name, (part, inner) in _split(task, value, hint).items()}


def _split(task: str, value: object, hint: Any) -> dict[str, tuple[object, object]]:
    """Each output's value and annotation: none, the value itself, the fields of a NamedTuple, the items of a tuple."""
    outputs, join = split_return(hint)
    if not outputs:
        if value is not None:
            raise OutputError(f"Task {task}: it declares no output, but returned {type(value).__name__}.")
        return {}
    if join is None:
        return {outputs[0].name: (value, outputs[0].hint)}
    if isinstance(join, type) and not isinstance(value, join):
        names = ", ".join(output.name for output in outputs)
        raise OutputError(f"Task {task}: outputs {names}: expected {join.__name__}, got {_shown(value)}.")
    if not isinstance(value, tuple) or len(value) != len(outputs):
        raise OutputError(f"Task {task}: expected a tuple of {len(outputs)} outputs, got {_shown(value)}.")
    return {output.name: (part, output.hint) for output, part in zip(outputs, value, strict=True)}


def _encode(task: str, name: str, value: object, hint: object, io: StorageIO) -> Literal:
    made = codec(hint)
    try:
        wire = made.encode(value, io)
    except ValueMismatch as error:
        missing = "; is a 'return' missing?" if value is None else ""
        raise OutputError(f"Task {task}: output {name}: {error}{missing}") from error
    return literal_of(wire, made.type, io.put_bytes)


def _shown(value: object) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple) else type(value).__name__
