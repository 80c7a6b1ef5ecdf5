"""What is registered, in words: how a launch plan is started, what it takes and gives, and what holds for its executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat.spec.artifacts import NewestSpec
    from wingbeat.spec.definition import Definition
    from wingbeat.spec.entities import LaunchPlanSpec, Variable, WorkflowSpec
    from wingbeat.spec.policies import ConcurrencySpec, PoolSpec
    from wingbeat.spec.triggers import ScheduleSpec, TriggerSpec


def trigger_line(trigger: TriggerSpec | None) -> str:
    """What starts it, for a column."""
    from wingbeat.spec.triggers import CronSpec, OnArtifactSpec, OnEndSpec, OnVersionSpec, RateSpec, ScheduleSpec

    match trigger:
        case ScheduleSpec(when=CronSpec(expression=expression, timezone=zone)):
            return f"cron {expression} {zone}"
        case ScheduleSpec(when=RateSpec(seconds=seconds)):
            return f"every {_duration(seconds)}"
        case OnEndSpec(workflow=workflow, phases=phases):
            return f"{' or '.join(phases)} of {workflow}"
        case OnArtifactSpec(artifact=artifact, partitions=partitions):
            return f"artifact {artifact}{_keys(partitions)}"
        case OnVersionSpec(entity=entity, event=event):
            return f"version of {entity} {event}"
    return ""


def facts(definition: Definition) -> list[tuple[str, str]]:
    """What else there is to say of a launch plan or a workflow: name and value, the empty ones too."""
    workflow = definition.closure.workflow
    if definition.plan is None:
        return [] if definition.kind == "task" else _of_workflow(workflow)
    plan = definition.plan
    return [
        ("workflow", workflow.name),
        ("trigger", trigger_line(plan.trigger)),
        *_of_trigger(plan.trigger),
        ("labels", ", ".join(f"{name}={value}" for name, value in plan.labels.items())),
        ("concurrency", _limit(plan.concurrency or workflow.concurrency)),
        ("pool", _pool(plan.pool)),
        ("priority", f"{plan.priority:+d}" if plan.priority else ""),
        ("on failure", str(plan.failure_policy or workflow.failure_policy or "")),
        ("kept for", f"{plan.retention_days} days" if plan.retention_days is not None else ""),
        *(("tells", line) for line in _told(plan)),
    ]


def inputs(definition: Definition) -> list[str]:
    """Each input with its type and what it is where nobody gives it; those of the workflow that the launch plan fixes, too."""
    plan, interface = definition.plan, definition.interface
    lines = [_input(each, {} if plan is None else plan.newest) for each in interface.inputs]
    if plan is not None:
        for variable in definition.closure.workflow.interface.inputs:
            if variable.name in plan.fixed:
                lines.append(f"{_typed(variable)} = {_text(plan.fixed[variable.name], variable)}, fixed")
    return lines


def outputs(definition: Definition) -> list[str]:
    """Each output with its type, and the artifact that it is published as."""
    publishes = definition.closure.workflow.publishes
    lines = []
    for variable in definition.interface.outputs:
        spec = publishes.get(variable.name)
        published = "" if spec is None else f", published as {spec.name}{_keys(spec.partitions)}"
        lines.append(f"{_typed(variable)}{published}")
    return lines


def document(definition: Definition) -> dict[str, Any]:
    """The same for programs: what `wingbeat_cli.render.document.entity` does not have."""
    import msgspec

    workflow, plan = definition.closure.workflow, definition.plan
    if plan is None:
        if definition.kind == "task":
            return {}
        found: dict[str, Any] = msgspec.to_builtins(workflow)
        return {name: found.get(name) for name in ("concurrency", "failure_policy", "timeout_s", "publishes")}
    found = msgspec.to_builtins(plan)
    names = ("concurrency", "pool", "failure_policy", "retention_days")
    told = {"workflow": workflow.name, "labels": plan.labels, "priority": plan.priority}
    return {**told, **{name: found.get(name) for name in names}, "notifications": found.get("notifications", [])}


def _of_workflow(workflow: WorkflowSpec) -> list[tuple[str, str]]:
    return [
        ("concurrency", _limit(workflow.concurrency)),
        ("on failure", str(workflow.failure_policy or "")),
        ("timeout", "" if workflow.timeout_s is None else _duration(workflow.timeout_s)),
    ]


def _of_trigger(trigger: TriggerSpec | None) -> list[tuple[str, str]]:
    """What else it says: which inputs it gives, and of a schedule its rules."""
    from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec, ScheduleSpec

    given: list[str] = []
    match trigger:
        case ScheduleSpec():
            given = [f"{trigger.input} from the tick"] if trigger.input else []
        case OnEndSpec():
            given = [f"{name} from {output}" for name, output in trigger.inputs.items()]
        case OnArtifactSpec():
            given = [f"{trigger.input} from the value"] if trigger.input else []
            given += [f"{name} from the key {key}" for name, key in trigger.keys.items()]
        case OnVersionSpec():
            given = [f"{trigger.input} from the version"] if trigger.input else []
    rules = _rules(trigger) if isinstance(trigger, ScheduleSpec) else ""
    if isinstance(trigger, OnArtifactSpec) and trigger.only_changed:
        rules = "only if its content has changed"
    return [("gives", ", ".join(given)), ("rules", rules)]


def _rules(schedule: ScheduleSpec) -> str:
    window = "" if schedule.window_s is None else f" of the last {_duration(schedule.window_s)}"
    rules = [f"catch up {schedule.catch_up}{window}", f"overlap {schedule.overlap}"]
    if schedule.jitter_s:
        rules.append(f"up to {_duration(schedule.jitter_s)} later")
    if schedule.pause_on_failure:
        rules.append("pauses on failure")
    return ", ".join(rules)


def _told(plan: LaunchPlanSpec) -> list[str]:
    lines = []
    for spec in plan.notifications:
        when = [*(phase.value for phase in spec.on)]
        if spec.after_s is not None:
            when.append(f"not ended after {_duration(spec.after_s)}")
        lines.append(f"{spec.to} of {', '.join(when)}")
    return lines


def _input(variable: Variable, newest: Mapping[str, NewestSpec]) -> str:
    if variable.name in newest:
        spec = newest[variable.name]
        keys = {**spec.partitions, **{key: f"<{given.input}>" for key, given in spec.inputs.items()}}
        return f"{_typed(variable)} = newest {spec.artifact}{_keys(keys)}"
    return _typed(variable) + ("" if variable.required else f" = {_text(variable.default, variable)}")


def _typed(variable: Variable) -> str:
    from wingbeat.types.text import describe

    return f"{variable.name}: {describe(variable.type)}"


def _text(wire: Any, variable: Variable) -> str:
    from wingbeat_cli.values import plain_text

    text = plain_text(wire, variable.type)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _keys(keys: Mapping[str, str]) -> str:
    return f" [{', '.join(f'{key}={value}' for key, value in keys.items())}]" if keys else ""


def _limit(limit: ConcurrencySpec | None) -> str:
    return "" if limit is None else f"{limit.limit} of {limit.name}, then {limit.on_limit}"


def _pool(pool: PoolSpec | None) -> str:
    return "" if pool is None else pool.name + (f", weight {pool.weight}" if pool.weight != 1 else "")


def _duration(seconds: float) -> str:
    """As `Cron` and its like take it: the largest units that it is whole in."""
    text, rest = "", seconds
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if rest >= size:
            text += f"{int(rest // size)}{unit}"
            rest %= size
    return text + (f"{rest:g}s" if rest or not text else "")
