"""From what a function returned to the literals of its outputs."""

from __future__ import annotations

import typing
from typing import Any

from wingbeat.runtime.blobio import AttemptIO
from wingbeat.spec.codec import canonical
from wingbeat.spec.literal import INLINE_BYTES_MAX, Inline, Literal, Literals, Offloaded
from wingbeat.types import ValueMismatch, codec, digest


class OutputError(TypeError):
    """What a task returned is not what its outputs declare."""


def encode_outputs(task: str, value: object, hint: object, names: tuple[str, ...], io: AttemptIO) -> Literals:
    """Check `value`, which was returned under the annotation `hint`, and encode it.

    Raises:
        OutputError: It is of another type; says which output, what was expected and found.
    """
    return {
        name: _encode(task, name, part, part_hint, io)
        for name, (part, part_hint) in _split(task, value, hint, names).items()
    }


def _split(task: str, value: object, hint: Any, names: tuple[str, ...]) -> dict[str, tuple[object, object]]:
    """Each output's value and annotation: none, the value itself, the fields of a NamedTuple, the items of a tuple."""
    if not names:
        if value is not None:
            raise OutputError(f"Task {task}: it declares no output, but returned {type(value).__name__}.")
        return {}
    if getattr(hint, "_fields", None) == names:
        if not isinstance(value, hint):
            raise OutputError(
                f"Task {task}: outputs {', '.join(names)}: expected {hint.__name__}, got {_shown(value)}."
            )
        fields = typing.get_type_hints(hint, include_extras=True)
        return {name: (getattr(value, name), fields[name]) for name in names}
    if len(names) == 1:
        return {names[0]: (value, hint)}
    if not isinstance(value, tuple) or len(value) != len(names):
        raise OutputError(f"Task {task}: expected a tuple of {len(names)} outputs, got {_shown(value)}.")
    return dict(zip(names, zip(value, typing.get_args(hint), strict=True), strict=True))


def _encode(task: str, name: str, value: object, hint: object, io: AttemptIO) -> Literal:
    made = codec(hint)
    try:
        wire = made.encode(value, io)
    except ValueMismatch as error:
        raise OutputError(f"Task {task}: output {name}: {error}") from error
    data = canonical(wire)
    if len(data) <= INLINE_BYTES_MAX:
        return Inline(wire)
    blob = io.put_bytes(data)
    return Offloaded(uri=blob.uri, size=blob.size, digest=digest(wire, made.type))


def _shown(value: object) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple) else type(value).__name__
