"""Recover: which results of an earlier execution hold in a new one. Pure."""

from __future__ import annotations

from typing import Any

from wingbeat.machine.state import State
from wingbeat.machine.values import resolve
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.literal import Literals
from wingbeat.spec.plan import Plan
from wingbeat.types import ValueMismatch


def reusable(old_plan: Plan, old: State, old_inputs: Literals, plan: Plan, inputs: Literals) -> dict[int, Literals]:
    """Outputs by node of the new plan, for nodes whose result is the same in both.

    A result is taken over if the node of the same id succeeded, its task is the same (name, code, interface, environment,
    wrappers, variables), its inputs have the same values, and everything upstream was taken over too.
    """
    taken: dict[int, Literals] = {}
    for i, node in enumerate(plan.nodes):
        j = old_plan.index.get(node.id)
        if j is None or not old.nodes[j].phase.success or any(u not in taken for u in node.upstream):
            continue
        task, old_task = plan.tasks[node.task], old_plan.tasks[old_plan.nodes[j].task]
        if _identity(task) != _identity(old_task):
            continue
        try:
            new_values = resolve(node.inputs, inputs, taken.get)
            old_values = resolve(old_plan.nodes[j].inputs, old_inputs, lambda n: old.nodes[n].outputs)
        except ValueMismatch:
            continue
        outputs = old.nodes[j].outputs
        if new_values == old_values and outputs is not None:
            taken[i] = outputs
    return taken


def _identity(task: TaskSpec) -> tuple[Any, ...]:
    """What decides over the outputs of a task, beside its inputs."""
    return task.name, task.code, task.interface, task.environment, task.wrappers, task.variables
