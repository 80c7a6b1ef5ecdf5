"""What to do about an input that is given something of another type, where that is known."""

from __future__ import annotations

from collections.abc import Mapping

from wingbeat.spec.entities import Binding, Closure, GateSpec, MapSpec, NodeSpec, Promise, Variable, WorkflowSpec
from wingbeat.spec.mapped import optional
from wingbeat.types import ListType, LiteralType, describe


def input_hint(
    closure: Closure,
    workflow: WorkflowSpec,
    nodes: Mapping[str, NodeSpec],
    node: NodeSpec,
    variable: Variable,
    source: LiteralType | None,
) -> str:
    """What to do about the input `variable` of `node`, which is given something of the type `source`; empty if nothing is known."""
    if isinstance(node.kind, GateSpec) and node.kind.gate == "sleep" and variable.name == "duration":
        return (
            "How long is a timedelta: declare the input, or what the task gives, as 'timedelta'; what is known before can be "
            "written as 'sleep(\"1h30m\")', too."
        )
    if isinstance(node.kind, MapSpec) and variable.name in node.kind.over and not isinstance(source, ListType):
        name = closure.entities[workflow.calls[node.call]].name.rpartition(".")[2]
        return (
            f"A map takes lists, with an item for each call. Give a list; call '{name}(…)' for one value; or bind what is the same "
            f"for every item: 'map_task(functools.partial({name}, {variable.name}=…))(LIST)'."
        )
    if isinstance(variable.type, ListType) and source == ListType(optional(variable.type.item)):
        given = _tolerant(nodes, node.inputs[variable.name])
        if given:
            return (
                f"An item that fails gives None, as the map may go on without it ({given}=…): take "
                f"'{describe(source)}', or leave {given} out."
            )
    return ""


def _tolerant(nodes: Mapping[str, NodeSpec], binding: Binding) -> str:
    """The option by which the map that a binding names goes on without some items; empty if it names none such."""
    node = nodes.get(binding.node) if isinstance(binding, Promise) and not binding.path else None
    if node is None or not isinstance(node.kind, MapSpec):
        return ""
    if node.kind.min_success_ratio is not None:
        return "min_success_ratio"
    return "min_successes" if node.kind.min_successes is not None else ""
