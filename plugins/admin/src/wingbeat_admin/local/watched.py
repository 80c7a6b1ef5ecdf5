"""Whether what a launch plan waits for can come: as far as that is registered. What contradicts it is refused; what is missing, or
goes round in a circle, is warned of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import Definition
from wingbeat.spec.entities import LaunchPlanSpec, Variable
from wingbeat.spec.identity import Identity, Name, parse_name
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, TriggerSpec
from wingbeat.types import EnumType, LiteralValues, Simple
from wingbeat_admin.local.firing import check_taken

if TYPE_CHECKING:
    from wingbeat_admin.local.store import Store

STEPS_MAX = 100
"""So far a circle is followed."""
LOOKED_AT_MAX = 1000
"""So many names of a project and domain are looked at for who publishes an artifact."""


def warnings_of(store: Store, id: Identity, definition: Definition, plan: LaunchPlanSpec) -> list[str]:
    """What to say of a launch plan that is to be active.

    Raises:
        InputError: Its trigger takes what the other workflow does not give, or wants keys or values that no partition has.
    """
    trigger = plan.trigger
    found: list[str] = []
    match trigger:
        case OnEndSpec():
            found += _other(store, trigger.workflow)
            if not found:
                watched = store.entity(parse_name(trigger.workflow), "")
                check_taken(trigger.inputs, definition.interface, watched.interface, watched.id)
        case OnVersionSpec():
            found += _other(store, trigger.entity)
        case OnArtifactSpec():
            found += _artifact(
                store, trigger.artifact, trigger.partitions, [*trigger.partitions, *trigger.keys.values()]
            )
    for newest in plan.newest.values():
        found += _artifact(store, newest.artifact, newest.partitions, [*newest.partitions, *newest.inputs])
    return list(dict.fromkeys([*found, *_circle(store, id, definition, trigger)]))


def _other(store: Store, name: str) -> list[str]:
    try:
        store.entity(parse_name(name), "")
    except NotFound:
        return [f"nothing is registered as {name} yet: it waits for that"]
    return []


def _artifact(store: Store, artifact: str, partitions: Mapping[str, str], keys: list[str]) -> list[str]:
    """Look at who publishes it. Raises InputError where nobody does with these keys and values."""
    name = parse_name(artifact)
    publishers = list(_publishers(store, name))
    if not publishers:
        return [f"nothing that is registered in {name.project}/{name.domain} publishes {name.name} yet"]
    known = sorted({key for _, inputs in publishers for key in inputs})
    for key in keys:
        variables = [inputs[key] for _, inputs in publishers if key in inputs]
        if not variables:
            raise InputError(
                f"The artifact {artifact} has no key {key!r}, as {publishers[0][0]} publishes it.",
                hint=f"Its keys are: {', '.join(known) or 'none'}.",
            )
        value = partitions.get(key)
        if value is not None and not any(_may_be(variable, value) for variable in variables):
            raise InputError(
                f"The key {key!r} of the artifact {artifact} is never {value!r}, as {publishers[0][0]} publishes it.",
                hint=f"It is {_values(variables[0])}.",
            )
    return []


def _publishers(store: Store, artifact: Name) -> Iterator[tuple[str, dict[str, Variable]]]:
    """What publishes it, in its newest version, with the inputs that are its keys."""
    query = "SELECT name, version, max(number) FROM entities WHERE project = ? AND domain = ? GROUP BY name LIMIT ?"
    rows = store.db.execute(query, (artifact.project, artifact.domain, LOOKED_AT_MAX)).fetchall()
    for other, version, _ in rows:
        id = Identity(artifact.project, artifact.domain, other, version)
        workflow = store.definition(id).closure.workflow
        for spec in workflow.publishes.values():
            if spec.name == artifact.name:
                inputs = {key: workflow.interface.input(name) for key, name in spec.partitions.items()}
                yield str(id), {key: variable for key, variable in inputs.items() if variable is not None}


def _may_be(variable: Variable, text: str) -> bool:
    """Whether the text can be that of a value: see `wingbeat_admin.local.publishing`."""
    match variable.type:
        case EnumType(members=members, flag=False):
            return text in members
        case LiteralValues(values=values):
            return text in [value if isinstance(value, str) else json.dumps(value) for value in values]
        case Simple(name="bool"):
            return text in ("true", "false")
        case Simple(name="int"):
            return text.removeprefix("-").isdecimal()
    return True


def _values(variable: Variable) -> str:
    match variable.type:
        case EnumType(members=members):
            return f"one of {', '.join(members)}"
        case LiteralValues(values=values):
            return f"one of {', '.join(str(value) for value in values)}"
        case Simple(name="bool"):
            return "true or false"
    return "a whole number"


def _circle(store: Store, id: Identity, definition: Definition, trigger: TriggerSpec | None) -> list[str]:
    """Whether its own executions start it again, by itself or by way of launch plans that are active."""
    publishes = {spec.name for spec in definition.closure.workflow.publishes.values()}
    start, seen, pending = str(id.entity), set[str](), [(trigger, "")]
    while pending and len(seen) < STEPS_MAX:
        one, way = pending.pop(0)
        for source in _sources(store, one, id, publishes):
            if source == start:
                told = (
                    f", by way of {way}" if way else ""
                )  # only what it names itself: others may be nothing to its owner
                return [f"its own executions start it again{told}, and there is no end to it"]
            if source not in seen:
                seen.add(source)
                pending.append((_trigger(store, parse_name(source)), way or source))
    return []


def _sources(store: Store, trigger: TriggerSpec | None, id: Identity, publishes: set[str]) -> Iterator[str]:
    """Names of what has to run for a trigger to fire, as far as it is itself started by a trigger."""
    match trigger:
        case OnEndSpec(workflow=workflow):
            yield workflow
        case OnArtifactSpec(artifact=artifact):
            name = parse_name(artifact)
            if (name.project, name.domain) == (id.project, id.domain) and name.name in publishes:
                yield str(id.entity)
            for publisher, _ in _publishers(store, name):
                yield publisher.partition("@")[0]


def _trigger(store: Store, name: Name) -> TriggerSpec | None:
    """That of the active version of a launch plan; None for anything else."""
    try:
        found = store.entity(name, "")
    except NotFound:
        return None
    return found.trigger if found.active else None
