"""Which checkpoint an attempt of a recovered execution goes on with."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from wingbeat.base.ids import digest
from wingbeat.engine.matching import Matching, newest_first, renamed
from wingbeat.machine import maps
from wingbeat.machine.fact import Left
from wingbeat.machine.graph import is_item, item_address, item_of, node_of
from wingbeat.machine.state import PHASES
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import canonical
from wingbeat.spec.literal import Literals
from wingbeat.types import ValueMismatch


def checkpoint_of(machine: Machine, address: int, inputs: Literals) -> str:
    """The node of another execution whose checkpoint a node or item goes on with; empty if there is none."""
    if not machine.state.left:
        return ""
    name, task = machine.graph.id(address), machine.graph.task(address)
    left = machine.state.left.get(name)
    if left is None or task is None or left.task != task.name or left.inputs != digest(canonical(inputs)):
        return ""
    return f"{left.execution}/{left.node or name}"


def left(source: str, old: Machine, matching: Matching) -> dict[str, Left]:
    """What was attempted and did not succeed, by the ids of the new execution. What was not even attempted is handed on as it was
    handed to `old`."""
    found = {name: left for name, left in old.state.left.items() if not _succeeded(old, name)}
    for address in _attempted(old):
        task = old.graph.task(address)
        if task is not None:
            try:
                found[old.graph.id(address)] = Left(source, task.name, digest(canonical(old.values(address))))
            except (ValueMismatch, KeyError):  # its inputs are not to be had any more
                continue
    if not matching.moved and not any("~" in name for name in found):
        return found
    named = {name: each if each.node else replace(each, node=name) for name, each in found.items()}
    return newest_first(dict(renamed(matching, named.items())))


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
            for item in range(mapping.total if mapping.upto and maps.ready(old, number) else 0):
                address = item_address(number, item)
                seen = old.state.items.get(address)
                if not PHASES[mapping.phases[item]].success and (seen is None or seen.next_attempt):
                    yield address
        elif node.next_attempt and not node.phase.success:
            yield number
