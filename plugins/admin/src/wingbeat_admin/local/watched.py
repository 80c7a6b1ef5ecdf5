"""Whether what a launch plan waits for can come: as far as that is registered. What contradicts it is refused; what is missing, or
goes round in a circle, is warned of."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import Definition, Registered
from wingbeat.spec.entities import Interface, LaunchPlanSpec, Variable
from wingbeat.spec.identity import Identity, Name, parse_identity, parse_name
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, TriggerSpec
from wingbeat.types import EnumType, LiteralValues, Simple
from wingbeat_admin.local import inventory
from wingbeat_admin.local.firing import check_taken
from wingbeat_admin.places import is_within

if TYPE_CHECKING:
    from wingbeat_admin.local.store import Store

STEPS_MAX = 100
"""So far a circle is followed."""
LOOKED_AT_MAX = 1000
"""So many names of a project and domain are looked at for who publishes an artifact."""


def warnings_of(store: Store, id: Identity, definition: Definition, plan: LaunchPlanSpec) -> list[str]:
    """What to say of a launch plan that is to be active.

    Raises:
        InputError: Its trigger takes what the other workflow does not give, or wants keys or values that no partition has; an input
            takes an artifact that is of another type.
    """
    return Watch(store).warnings(id, definition, plan)


def of_registered(
    store: Store, found: Sequence[Registered], definitions: Sequence[Definition], within: tuple[str, ...] | None
) -> list[Registered]:
    """What has just been registered, launch plans with what is to be said of them. Of others only those `within` these places are
    looked at.

    Raises:
        InputError: As `warnings_of`, of a launch plan that was not there before.
    """
    watch = Watch(store, within)
    told = []
    for each, definition in zip(found, definitions, strict=True):
        warnings: list[str] = []
        if definition.plan is not None:
            try:
                warnings = watch.warnings(parse_identity(each.id), definition, definition.plan)
            except InputError as error:
                if each.created:
                    raise InputError(f"Launch plan {definition.name}: {error.message}", hint=error.hint) from error
                warnings = [error.message]  # it is there, whatever others have registered since
        told.append(replace(each, warnings=tuple(warnings)))
    return told


class Publisher(Struct, frozen=True):
    """What publishes an artifact, in its newest version: from which output, and the inputs that are its keys."""

    id: str
    artifact: str
    output: Variable
    keys: dict[str, Variable]


class Watch:
    """Looks at what is registered: at each project and domain once.

    Args:
        within: Only what is in these places is looked at; None is everywhere.
    """

    def __init__(self, store: Store, within: tuple[str, ...] | None = None) -> None:
        self._store, self._within = store, within
        self._publishing: dict[tuple[str, str], list[Publisher]] = {}

    def warnings(self, id: Identity, definition: Definition, plan: LaunchPlanSpec) -> list[str]:
        """See `warnings_of`."""
        trigger, takes = plan.trigger, definition.interface
        found: list[str] = []
        match trigger:
            case OnEndSpec():
                found += self._other(trigger.workflow)
                if not found and self._sees(trigger.workflow):
                    watched = self._store.entity(parse_name(trigger.workflow), "")
                    check_taken(trigger.inputs, takes, watched.interface, watched.id)
                    found += self._by_plans(trigger, takes)
            case OnVersionSpec():
                found += self._other(trigger.entity)
            case OnArtifactSpec():
                keys = [*trigger.partitions, *trigger.keys.values()]
                found += self._artifact(trigger.artifact, trigger.partitions, keys, trigger.input, takes)
        for input, newest in plan.newest.items():
            keys = [*newest.partitions, *newest.inputs]
            found += self._artifact(newest.artifact, newest.partitions, keys, input, takes)
        return list(dict.fromkeys([*found, *self._circle(id, definition, trigger)]))

    def _sees(self, name: str) -> bool:
        one = parse_name(name)
        return is_within(self._within, one.project, one.domain)

    def _other(self, name: str) -> list[str]:
        if not self._sees(name):
            return []
        try:
            self._store.entity(parse_name(name), "")
        except NotFound:
            return [f"nothing is registered as {name} yet: it waits for that"]
        return []

    def _by_plans(self, trigger: OnEndSpec, takes: Interface) -> Iterator[str]:
        """What to say of active launch plans of the workflow: theirs may be another version of it, with other outputs."""
        for id in self._plans(trigger.workflow):
            plan = self._store.entity(id.entity, id.version)
            try:
                check_taken(trigger.inputs, takes, plan.interface, plan.id)
            except InputError as error:
                yield f"what {id} launches does not start it: {error.message}"

    def _plans(self, workflow: str) -> list[Identity]:
        """Active launch plans whose ends are those of a workflow."""
        plans = inventory.active_plans(self._store.db, parse_name(workflow), STEPS_MAX)
        return [id for id in plans if str(inventory.launched_by(self._store.db, id)) == workflow]

    def _artifact(
        self, artifact: str, partitions: Mapping[str, str], keys: list[str], input: str, takes: Interface
    ) -> list[str]:
        """Look at who publishes it. Raises InputError where nobody does with these keys and values, or for such an input."""
        if not self._sees(artifact):
            return []
        name = parse_name(artifact)
        publishers = self._publishers(name)
        if input:
            self._check_type(name, partitions, input, takes)
        if not publishers:
            return [f"nothing that is registered in {name.project}/{name.domain} publishes {name.name} yet"]
        known = sorted({key for each in publishers for key in each.keys})
        for key in keys:
            variables = [each.keys[key] for each in publishers if key in each.keys]
            if not variables:
                raise InputError(
                    f"The artifact {artifact} has no key {key!r}, as {publishers[0].id} publishes it.",
                    hint=f"Its keys are: {', '.join(known) or 'none'}.",
                )
            value = partitions.get(key)
            if value is not None and not any(_may_be(variable, value) for variable in variables):
                raise InputError(
                    f"The key {key!r} of the artifact {artifact} is never {value!r}, as {publishers[0].id} publishes it.",
                    hint=f"It is {_values(variables[0])}.",
                )
        return []

    def _check_type(self, artifact: Name, partitions: Mapping[str, str], input: str, takes: Interface) -> None:
        """Raise InputError if neither what publishes it, nor the newest version that there is, is what the input takes."""
        offered = [(each.output, each.id) for each in self._publishers(artifact)]
        with contextlib.suppress(NotFound):
            newest = self._store.artifact(str(artifact), dict(partitions))
            offered.append((Variable(newest.output, newest.type), newest.id))
        wrong: list[InputError] = []
        for variable, who in offered:
            try:
                check_taken({input: variable.name}, takes, Interface((), (variable,)), who)
            except InputError as error:
                wrong.append(error)
        if wrong and len(wrong) == len(offered):
            raise InputError(
                f"The artifact {artifact} does not fit: {wrong[0].message}",
                hint="Take an artifact of that type, or give the input another one.",
            )

    def _publishers(self, artifact: Name) -> list[Publisher]:
        place = (artifact.project, artifact.domain)
        if place not in self._publishing:
            self._publishing[place] = list(_publishing(self._store, *place))
        return [each for each in self._publishing[place] if each.artifact == artifact.name]

    def _circle(self, id: Identity, definition: Definition, trigger: TriggerSpec | None) -> list[str]:
        """Whether its own executions start it again, by itself or by way of launch plans that are active."""
        publishes = {spec.name for spec in definition.closure.workflow.publishes.values()}
        start, seen, pending = str(id.entity), set[str](), [(trigger, "")]
        while pending and len(seen) < STEPS_MAX:
            one, way = pending.pop(0)
            for source in self._sources(one, id, publishes):
                if source == start:
                    told = (
                        f", by way of {way}" if way else ""
                    )  # only what it names itself: others may be nothing to its owner
                    return [f"its own executions start it again{told}, and there is no end to it"]
                if source not in seen and self._sees(source):
                    seen.add(source)
                    plans = [each.entity for each in self._plans(source)]
                    pending += [(_trigger(self._store, each), way or source) for each in (parse_name(source), *plans)]
        return []

    def _sources(self, trigger: TriggerSpec | None, id: Identity, publishes: set[str]) -> Iterator[str]:
        """Names of what has to run for a trigger to fire, as far as it is itself started by a trigger."""
        match trigger:
            case OnEndSpec(workflow=workflow):
                yield workflow
            case OnArtifactSpec(artifact=artifact):
                name = parse_name(artifact)
                if (name.project, name.domain) == (id.project, id.domain) and name.name in publishes:
                    yield str(id.entity)
                for publisher in self._publishers(name) if self._sees(artifact) else ():
                    yield publisher.id.partition("@")[0]


def _publishing(store: Store, project: str, domain: str) -> Iterator[Publisher]:
    """What publishes anything there. Closures that do not are not decoded."""
    query = (
        "SELECT name, version FROM (SELECT name, version, max(number), closure FROM entities "
        "WHERE project = ? AND domain = ? GROUP BY name LIMIT ?) "
        "JOIN closures ON closures.digest = closure WHERE instr(CAST(closures.body AS TEXT), '\"publishes\"')"
    )
    for name, version in store.db.execute(query, (project, domain, LOOKED_AT_MAX)).fetchall():
        id = Identity(project, domain, name, version)
        workflow = store.definition(id).closure.workflow
        for output, spec in workflow.publishes.items():
            variable = workflow.interface.output(output)
            assert variable is not None, "it was checked"
            inputs = {key: workflow.interface.input(name) for key, name in spec.partitions.items()}
            keys = {key: input for key, input in inputs.items() if input is not None}
            yield Publisher(str(id), spec.name, variable, keys)


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


def _trigger(store: Store, name: Name) -> TriggerSpec | None:
    """That of the active version of a launch plan; None for anything else."""
    try:
        found = store.entity(name, "")
    except NotFound:
        return None
    return found.trigger if found.active else None
