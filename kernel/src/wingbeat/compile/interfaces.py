"""What goes into a node and what comes out, whatever kind it is."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.base.units import counted
from wingbeat.spec.entities import (
    BranchSpec,
    Closure,
    GateSpec,
    Interface,
    LaunchPlanSpec,
    NodeSpec,
    WorkflowSpec,
)
from wingbeat.spec.mapped import mapped
from wingbeat.types import Simple


def node_interface(closure: Closure, workflow: WorkflowSpec, node: NodeSpec) -> Interface:
    """The interface of a node of `workflow`."""
    if node.kind is None:
        return closure.entities[workflow.calls[node.call]].interface
    if isinstance(node.kind, BranchSpec | GateSpec):
        return node.kind.interface
    return mapped(closure.entities[workflow.calls[node.call]].interface, node.kind)


def gate_findings(spec: GateSpec, where: str) -> Iterator[str]:
    """What is wrong with what goes into and comes out of a gate."""
    inputs = {v.name: v.type for v in spec.interface.inputs}
    outputs = [v.type for v in spec.interface.outputs]
    expected = {"approve": set(), "input": set(), "sleep": {"duration"}}[spec.gate]
    if spec.gate != "input" and "value" in inputs:
        expected = expected | {"value"}
        if outputs != [inputs["value"]]:
            yield f"the gate {spec.name!r} gives something else than its value{where}."
    elif len(outputs) != (spec.gate == "input"):
        yield f"the gate {spec.name!r} has {counted(len(outputs), 'output')}{where}."
    if inputs.keys() != expected:
        yield f"the gate {spec.name!r} has the inputs {', '.join(inputs) or 'none'}{where}."
    if spec.gate == "sleep" and inputs.get("duration") != Simple("timedelta"):
        yield f"sleep takes its duration as timedelta{where}."


def launchplan_findings(closure: Closure, plan: LaunchPlanSpec) -> Iterator[str]:
    """What is wrong with a launch plan."""
    workflow = closure.entities.get(plan.workflow)
    if not isinstance(workflow, WorkflowSpec):
        yield f"the launch plan {plan.name} launches no workflow."
        return
    own = {v.name: v for v in workflow.interface.inputs}
    given = {v.name: v for v in plan.interface.inputs}
    for name in (*given, *plan.fixed):
        if name not in own:
            yield f"the launch plan {plan.name} gives {name!r}, which {workflow.name} does not have."
        elif name in given and given[name].type != own[name].type:
            yield f"the launch plan {plan.name} gives {name!r} another type than {workflow.name}."
    for name, variable in own.items():
        if name in given and name in plan.fixed:
            yield f"the launch plan {plan.name} gives {name!r} twice."
        if variable.required and name not in given and name not in plan.fixed:
            yield f"the launch plan {plan.name} leaves out {name!r}, which {workflow.name} needs."
    if plan.interface.outputs != workflow.interface.outputs:
        yield f"the launch plan {plan.name} has other outputs than {workflow.name}."
