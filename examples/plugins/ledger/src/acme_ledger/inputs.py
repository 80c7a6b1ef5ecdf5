"""What an execution is launched with: what somebody gives, or a trigger. Pure, but that large values are stored by `put`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from acme_ledger.times import moment
from wingbeat.base.errors import InputError
from wingbeat.contracts.admin import Definition
from wingbeat.spec.entities import Interface
from wingbeat.spec.literal import Inline, Literal, Literals, Picked
from wingbeat.spec.triggers import ScheduleSpec
from wingbeat.spec.whole import literal_of
from wingbeat.types import Blob, BlobIO, ValueMismatch, check_wire, codec, compatible, describe


def given(definition: Definition, wires: Mapping[str, Any], put: Callable[[bytes], Blob], who: str) -> Literals:
    """What somebody gives, with all else filled in. Raises `InputError`."""
    literals: dict[str, Literal] = {}
    for name, wire in wires.items():
        variable = definition.interface.input(name)
        if variable is None:
            fixed = definition.plan is not None and name in definition.plan.fixed
            why = f"is fixed by the launch plan {who}" if fixed else f"is no input of {who}"
            raise InputError(f"{name!r} {why}.", hint=f"It takes {_named(definition.interface)}.")
        try:
            check_wire(wire, variable.type)
        except ValueMismatch as error:
            raise InputError(f"Input {name!r} of {who} takes {describe(variable.type)}: {error}") from error
        literals[name] = literal_of(wire, variable.type, put)
    return filled(definition, literals, who)


def filled(definition: Definition, literals: Literals, who: str) -> Literals:
    """With defaults, and what is fixed. Raises `InputError` if something is missing."""
    inputs = definition.interface.inputs
    if missing := [repr(v.name) for v in inputs if v.required and v.name not in literals]:
        raise InputError(f"{who} needs {', '.join(missing)}.", hint=f"It takes {_named(definition.interface)}.")
    defaults: Literals = {v.name: Inline(v.default) for v in inputs if not v.required}
    fixed: Literals = {} if definition.plan is None else {k: Inline(wire) for k, wire in definition.plan.fixed.items()}
    return {**defaults, **literals, **fixed}


def _named(interface: Interface) -> str:
    return ", ".join(f"{v.name}: {describe(v.type)}" for v in interface.inputs) or "nothing"


def of_tick(schedule: ScheduleSpec, tick: float) -> Literals:
    """What a schedule gives."""
    if not schedule.input:
        return {}
    no_files = cast("BlobIO", None)  # a moment is none
    return {schedule.input: Inline(codec(datetime).encode(moment(schedule, tick), no_files))}


def check_taken(takes: Mapping[str, str], inputs: Interface, outputs: Interface, who: str) -> None:
    """Whether each input may take its output. Raises `InputError`."""
    for name, output in takes.items():
        source, target = outputs.output(output), inputs.input(name)
        if source is None:
            raise InputError(f"{who} has no output {output!r}, which {name!r} takes.")
        if target is None:
            raise InputError(f"There is no input {name!r} to take {output!r} of {who}.")
        if (why := compatible(source.type, target.type)) is not None:
            raise InputError(f"{name!r} takes {describe(target.type)}, and {output!r} of {who} is another: {why}.")


def taken(takes: Mapping[str, str], inputs: Interface, outputs: Interface, values: Literals) -> Literals:
    """Inputs that are the outputs of another execution, converted where the types differ. They were checked."""
    found: dict[str, Literal] = {}
    for name, output in takes.items():
        source, target = outputs.output(output), inputs.input(name)
        assert source is not None
        assert target is not None
        same = source.type == target.type
        found[name] = values[output] if same else Picked(values[output], (), source.type, target.type)
    return found
