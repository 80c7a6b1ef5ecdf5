"""What an execution publishes, and what inputs take of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from wingbeat.base import ids
from wingbeat.base.errors import InputError
from wingbeat.contracts.admin import Definition
from wingbeat.contracts.artifacts import ArtifactEntry
from wingbeat.contracts.engine import ExecutionView
from wingbeat.spec.artifacts import NewestSpec
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import WorkflowSpec
from wingbeat.spec.identity import Identity, Name
from wingbeat.spec.literal import Inline, Literal, Literals, Offloaded
from wingbeat.types import LiteralType
from wingbeat.types.content import digest

KEY_LENGTH_MAX = 255
_DATE_LENGTH = len("2026-11-30")  # a moment is written so that it begins with its date


def entries(id: Identity, workflow: WorkflowSpec, view: ExecutionView, at: float) -> list[ArtifactEntry]:
    """The artifacts of an execution of `id` that has succeeded. Raises InputError for a key that has no text, or too long a one."""
    found = []
    for output, spec in workflow.publishes.items():
        variable = workflow.interface.output(output)
        assert variable is not None, "it was checked"
        name = Name(id.project, id.domain, spec.name).at(view.id)
        keys = {key: _text(key, view.inputs, source) for key, source in spec.partitions.items()}
        content = _digest((view.outputs or {})[output], variable.type)
        found.append(ArtifactEntry(str(name), view.id, output, str(id), variable.type, at, keys, content))
    return found


def _digest(literal: Literal, type: LiteralType) -> str:
    """Of the content. What is composed of others counts as it is composed."""
    match literal:
        case Inline():
            return digest(literal.value, type)
        case Offloaded():
            return literal.digest
    return ids.digest(canonical(literal))


def _text(key: str, inputs: Literals, name: str) -> str:
    literal = inputs.get(name)
    value = literal.value if isinstance(literal, Inline) else None
    if not isinstance(value, str | int | bool):
        raise InputError(f"The input {name!r} cannot be the key {key!r} of a partition.")
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > KEY_LENGTH_MAX:
        raise InputError(f"The key {key!r} of the partition is longer than {KEY_LENGTH_MAX} characters.")
    return text


def keys_bound(spec: NewestSpec, definition: Definition, given: Literals) -> dict[str, str]:
    """The keys that an artifact has to have for what is launched with these inputs. Raises InputError."""
    found = dict(spec.partitions)
    fixed = {} if definition.plan is None else definition.plan.fixed
    for key, wanted in spec.inputs.items():
        variable = definition.interface.input(wanted.input)
        literals: Literals = {wanted.input: Inline(fixed[wanted.input])} if wanted.input in fixed else given
        if wanted.input not in literals and variable is not None:
            if variable.required:
                raise InputError(f"{definition.name} needs {wanted.input!r}: by that it is looked for {spec.artifact}.")
            literals = {wanted.input: Inline(variable.default)}
        text = _text(key, literals, wanted.input)
        found[key] = text[:_DATE_LENGTH] if wanted.date else text
    return found


def keys_taken(keys: Mapping[str, str], partitions: Mapping[str, str], artifact: str) -> Literals:
    """The inputs that take keys of a partition. Raises InputError."""
    missing = next((key for key in keys.values() if key not in partitions), None)
    if missing is not None:
        raise InputError(f"The artifact {artifact} has no key {missing!r}: its keys are {_told(partitions)}.")
    return {name: Inline(partitions[key]) for name, key in keys.items()}


def _told(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
