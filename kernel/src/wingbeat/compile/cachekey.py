"""Cache keys: task identity, cache version, interface and the content of the inputs."""

from __future__ import annotations

import hashlib

from wingbeat.base.ids import digest
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import Interface, TaskSpec
from wingbeat.spec.literal import Inline, Literal, LiteralList, LiteralMap, Literals, Offloaded
from wingbeat.types import LiteralType
from wingbeat.types import digest as value_digest


def interface_digest(interface: Interface) -> str:
    """Digest of names and types; documentation and defaults do not count (a default that is used is an input)."""
    return digest(
        canonical([[[v.name, v.type] for v in interface.inputs], [[v.name, v.type] for v in interface.outputs]])
    )


def input_digests(task: TaskSpec, inputs: Literals) -> dict[str, str]:
    """Content digest of each input that is part of the key."""
    ignored = task.cache.ignore if task.cache else ()
    return {v.name: literal_digest(inputs[v.name], v.type) for v in task.interface.inputs if v.name not in ignored}


def key_digest(task: TaskSpec, name: str, interface: str, inputs: dict[str, str]) -> str:
    """The key itself, of a task that is known by `name` among those of all places. The environment, wrappers and variables that
    it declares are part of it: they may compute something else."""
    assert task.cache is not None
    declared: list[object] = [task.environment, task.wrappers] if task.environment or task.wrappers else []
    if task.variables:
        declared.append(task.variables)
    return digest(canonical([name, task.cache.version, interface, declared, sorted(inputs.items())]))


def literal_digest(literal: Literal, type_: LiteralType) -> str:
    """Content digest of a value in whichever form it travels. A composed value counts by its parts."""
    match literal:
        case Inline():
            return value_digest(literal.value, type_)
        case Offloaded():
            return literal.digest
        case LiteralList():
            return _combine("list", *(_part(item) for item in literal.items))
        case LiteralMap():
            return _combine("map", *(f"{k}={_part(v)}" for k, v in literal.items.items()))
        case _:
            return _part(literal)


def _part(literal: Literal) -> str:
    """Digest of a part of a composed value, by its canonical form."""
    match literal:
        case Inline():
            return digest(canonical(literal.value))
        case Offloaded():
            return literal.digest
        case LiteralList():
            return _combine("list", *(_part(item) for item in literal.items))
        case LiteralMap():
            return _combine("map", *(f"{k}={_part(v)}" for k, v in literal.items.items()))
        case _:
            return _combine(
                "part", _part(literal.of), canonical(literal.path).decode(), canonical(literal.target).decode()
            )


def _combine(*parts: str) -> str:
    return "sha256:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()
