"""From what somebody gives to what an execution is launched with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wingbeat.base.errors import InputError
from wingbeat.contracts.admin import Definition
from wingbeat.contracts.storage import Storage
from wingbeat.spec.entities import Interface
from wingbeat.spec.literal import Inline, Literal, Literals
from wingbeat.spec.whole import literal_of
from wingbeat.types import ValueMismatch, check_wire, describe

SMALL_INPUTS_MAX, SMALL_TEXT_MAX = 32, 1024


def are_small(wires: Mapping[str, Any]) -> bool:
    """Whether they are a few numbers and short texts."""
    return len(wires) <= SMALL_INPUTS_MAX and all(
        wire is None or type(wire) in (bool, int, float) or (type(wire) is str and len(wire) <= SMALL_TEXT_MAX)
        for wire in wires.values()
    )


def literals_of(definition: Definition, wires: Mapping[str, Any], storage: Storage, name: str) -> Literals:
    """Checked inputs; large ones are stored.

    Raises:
        InputError: One is unknown, fixed, or of another type.
    """
    interface = definition.interface
    _check_known(definition, wires, name)
    given: dict[str, Literal] = {}
    for variable in interface.inputs:
        if variable.name not in wires:
            continue
        wire = wires[variable.name]
        try:
            check_wire(wire, variable.type)
        except ValueMismatch as error:
            raise InputError(f"Input {variable.name!r} of {name} takes {describe(variable.type)}: {error}") from error
        given[variable.name] = literal_of(wire, variable.type, storage.put_bytes)
    return given


def check_literals(interface: Interface, given: Literals, name: str) -> None:
    """Look at inputs that nobody has looked at: those that somebody sends to the engine itself.

    Raises:
        InputError: One is missing, unknown, or of another type; what is stored is looked at when it is read.
    """
    if wrong := given.keys() ^ {variable.name for variable in interface.inputs}:
        raise InputError(
            f"{name} takes {', '.join(v.name for v in interface.inputs) or 'no inputs'}: look at {min(wrong)[:80]!r}."
        )
    for variable in interface.inputs:
        literal = given[variable.name]
        if isinstance(literal, Inline):
            try:
                check_wire(literal.value, variable.type)
            except ValueMismatch as error:
                raise InputError(
                    f"Input {variable.name!r} of {name} takes {describe(variable.type)}: {error}"
                ) from error


def completed(definition: Definition, given: Literals, name: str) -> Literals:
    """Inputs with defaults and what is fixed filled in. Raises InputError if one is missing."""
    interface = definition.interface
    missing = [v for v in interface.inputs if v.required and v.name not in given]
    if missing:
        needed = ", ".join(f"{v.name!r} ({describe(v.type)})" for v in missing)
        raise InputError(f"{name} needs {needed}.")
    defaults: Literals = {v.name: Inline(v.default) for v in interface.inputs if not v.required and v.name not in given}
    fixed: Literals = (
        {} if definition.plan is None else {key: Inline(wire) for key, wire in definition.plan.fixed.items()}
    )
    return {**defaults, **given, **fixed}


def _check_known(definition: Definition, wires: Mapping[str, Any], name: str) -> None:
    interface: Interface = definition.interface
    for given in wires:
        if interface.input(given) is not None:
            continue
        if definition.plan is not None and given in definition.plan.fixed:
            raise InputError(
                f"Input {given!r} is fixed by the launch plan {name}: nobody can give it.",
                hint="Leave it out, or launch the workflow itself.",
            )
        names = ", ".join(v.name for v in interface.inputs) or "no inputs"
        raise InputError(f"{name} has no input {given!r}.", hint=f"It takes {names}.")
