"""Recover: which results of an earlier execution hold in a new one. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from wingbeat.engine.replays import inputs_digest
from wingbeat.machine import maps
from wingbeat.machine.fact import Left, Reusable
from wingbeat.machine.graph import is_item, item_address, item_of, node_of
from wingbeat.machine.state import PHASES
from wingbeat.machine.step import Machine
from wingbeat.machine.values import resolve
from wingbeat.spec.codec import task_identity
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals
from wingbeat.spec.plan import Plan
from wingbeat.types import ValueMismatch


class Reuse(Struct, frozen=True):
    """What is taken over.

    Attributes:
        nodes: Outputs by node of the new plan.

        left: By id, nodes that did not succeed and may have left a checkpoint.

        later: By id, what may be taken over of nodes that are not there yet: items of maps, and what maps, branches and dynamic
            workflows run.
    """

    nodes: dict[int, Literals] = {}
    later: dict[str, Reusable] = {}
    left: dict[str, Left] = {}


def reusable(source: str, old: Machine, plan: Plan, inputs: Literals) -> Reuse:
    """What of `old`, the execution `source`, holds in an execution of `plan` with these inputs.

    A result is taken over if the node of the same id succeeded, its task is the same (name, code, interface, environment,
    wrappers, variables), its inputs have the same values, and everything upstream was taken over too.
    """
    taken: dict[int, Literals] = {}
    for i, node in enumerate(plan.nodes):
        j = old.plan.index.get(node.id)
        if j is None or node.kind is not None or node.arm is not None or any(u not in taken for u in node.upstream):
            continue
        seen, task, old_task = old.state.nodes[j], plan.tasks[node.task], old.graph.task(j)
        if not seen.phase.success or old_task is None or task_identity(task) != task_identity(old_task):
            continue
        try:
            same = resolve(node.inputs, inputs, taken.get) == old.values(j)
        except ValueMismatch:
            continue
        if same and seen.outputs is not None and not task.dynamic:
            taken[i] = seen.outputs
    names = {node.id for node in plan.nodes if node.kind is None and node.arm is None}  # these are decided upon above
    return Reuse(taken, {name: found for name, found in _later(old) if name not in names}, _left(source, old))


def checkpoint_of(machine: Machine, address: int, inputs: Literals) -> str:
    """The node of another execution whose checkpoint a node or item goes on with; empty if there is none."""
    if not machine.state.left:
        return ""
    name, task = machine.graph.id(address), machine.graph.task(address)
    left = machine.state.left.get(name)
    if left is None or task is None or left.task != task.name or left.inputs != inputs_digest(inputs):
        return ""
    return f"{left.execution}/{name}"


def _left(source: str, old: Machine) -> dict[str, Left]:
    """What was attempted and did not succeed. What was not even attempted is handed on as it was handed to `old`."""
    found = {name: left for name, left in old.state.left.items() if not _succeeded(old, name)}
    for address in _attempted(old):
        task = old.graph.task(address)
        if task is not None:
            try:
                found[old.graph.id(address)] = Left(source, task.name, inputs_digest(old.values(address)))
            except (ValueMismatch, KeyError):  # its inputs are not to be had any more
                continue
    return found


def _succeeded(old: Machine, name: str) -> bool:
    address = old.graph.find(name)
    if address is None:
        return False
    if not is_item(address):
        return old.state.nodes[address].phase.success
    mapping, item = old.state.maps.get(node_of(address)), item_of(address)
    return mapping is not None and item < mapping.total and PHASES[mapping.phases[item]].success


def _attempted(old: Machine) -> Iterator[int]:
    """Nodes and items that were attempted and did not succeed."""
    for number, node in enumerate(old.state.nodes):
        if number in old.state.maps:
            mapping = old.state.maps[number]
            for item in range(mapping.upto if maps.ready(old, number) else 0):
                address = item_address(number, item)
                seen = old.state.items.get(address)
                if not PHASES[mapping.phases[item]].success and (seen is None or seen.next_attempt):
                    yield address
        elif node.next_attempt and not node.phase.success:
            yield number


def _later(old: Machine) -> list[tuple[str, Reusable]]:
    """Everything else that succeeded in it, if a task computed it."""
    graph, state = old.graph, old.state
    found: list[tuple[str, Reusable]] = []
    for number, node in enumerate(state.nodes):
        task = graph.task(number)
        if task is None or task.dynamic:
            continue
        if number in state.maps:
            found += _items(old, number, task_identity(task))
        elif node.phase.success and node.outputs is not None:
            found.append((graph.id(number), Reusable(task_identity(task), old.values(number), node.outputs)))
    return found


def _items(old: Machine, number: int, identity: str) -> Iterator[tuple[str, Reusable]]:
    mapping, whole = old.state.maps[number], old.state.nodes[number].outputs
    for item in range(mapping.total):
        if not PHASES[mapping.phases[item]].success:
            continue
        if whole is None:
            parts = {name: values[item] for name, values in mapping.outputs.items()}
        else:
            parts = {name: _part(values, item) for name, values in whole.items()}
        outputs = {name: part for name, part in parts.items() if part is not None}
        if len(outputs) == len(parts):
            address = item_address(number, item)
            yield old.graph.id(address), Reusable(identity, old.values(address), outputs)


def _part(values: Literal, item: int) -> Literal | None:
    if isinstance(values, LiteralList):
        return values.items[item]
    return Inline(values.value[item]) if isinstance(values, Inline) else None
