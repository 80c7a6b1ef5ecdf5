"""Executions over HTTP: values as they are on the wire, large ones by where they are stored; and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wingbeat.contracts.engine import ExecutionView
from wingbeat.spec.literal import Literals, Offloaded
from wingbeat.spec.whole import materialise

INLINE_BYTES_MAX = 2**20
"""Values that are stored, and larger than this, are not read into an answer."""
_VALUES = ("inputs", "outputs")


def shown(view: ExecutionView, read: Callable[[Offloaded], bytes]) -> dict[str, Any]:
    """An execution as JSON: ``inputs`` and ``outputs`` (of it, and of its nodes) by name, as wire values.

    What is too large is not among them; ``stored`` says where it is: by the same names, URI, size and digest.
    """
    found: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(view, inputs={}, outputs=None, nodes=[]))
    _show(found, view.inputs, "inputs", read)
    if view.outputs is not None:
        _show(found, view.outputs, "outputs", read)
    found["nodes"] = []
    for node in view.nodes:
        one: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(node, outputs=None))
        if node.outputs is not None:
            _show(one, node.outputs, "outputs", read)
        found["nodes"].append(one)
    return found


def _show(into: dict[str, Any], literals: Literals, what: str, read: Callable[[Offloaded], bytes]) -> None:
    into[what] = {}
    for name, literal in literals.items():
        if isinstance(literal, Offloaded) and literal.size > INLINE_BYTES_MAX:
            into.setdefault("stored", {}).setdefault(what, {})[name] = [literal.uri, literal.size, literal.digest]
        else:
            into[what][name] = materialise(literal, read)


def view_of(data: dict[str, Any]) -> ExecutionView:
    """The execution again. Raises msgspec.ValidationError."""
    for one in (data, *data.get("nodes", ())):
        stored = one.pop("stored", {})
        for what in _VALUES:
            if what in one:
                one[what] = {name: ["v", wire] for name, wire in one[what].items()}
            for name, where in stored.get(what, {}).items():
                one.setdefault(what, {})[name] = ["r", *where]
    return msgspec.convert(data, ExecutionView)
