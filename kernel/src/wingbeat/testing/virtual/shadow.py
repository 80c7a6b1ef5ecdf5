"""What the journal says, folded as it is written, beside the engine that writes it: the truth that others are compared with."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from wingbeat.compile.cachekey import input_digests
from wingbeat.contracts.journal import Record
from wingbeat.machine import maps
from wingbeat.machine.fact import Fact, NodeSucceeded, Opened
from wingbeat.machine.fold import apply
from wingbeat.machine.graph import Graph, is_item
from wingbeat.machine.state import AttemptState, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.literal import Inline, Literals, Offloaded
from wingbeat.spec.plan import MapKind, Plan
from wingbeat.spec.whole import materialise
from wingbeat.types import ListType


class Shadow:
    """One execution as the journal has it.

    Attributes:
        facts: All of them.

        signals: Ids of signals that are durable.
    """

    def __init__(self, record: Record, plan: Plan) -> None:
        inputs = msgspec.msgpack.decode(record.inputs, type=Literals)
        self.id = record.execution
        self.machine = Machine(Graph(plan), inputs, initial(plan))
        self.facts: list[Fact] = []

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.machine.state.phase.terminal

    def know(self, fact: Fact, plans: dict[str, Plan]) -> None:
        """Take up what a fact refers to."""
        if isinstance(fact, Opened) and fact.template:
            self.machine.graph.templates[fact.template] = plans[fact.template]

    def take(self, fact: Fact) -> None:
        """It is true now."""
        self.facts.append(fact)
        apply(self.machine.graph, self.machine.state, fact)

    def open_attempt(self, node: str) -> tuple[int, AttemptState] | None:
        """The attempt of a node that has not ended, if there is one, with the node's address."""
        address = self.machine.graph.find(node)
        seen = self.machine.state.seen(address) if address is not None else None
        attempt = seen.open_attempt if seen is not None else None
        return None if address is None or attempt is None else (address, attempt)

    def values(self, address: int) -> Literals:
        """The inputs of a node or item; what a map goes over is read as it was stored."""
        number = address & (1 << 32) - 1
        machine = self.machine
        if is_item(address) and not maps.ready(machine, number):
            given = machine.values(number)
            machine.loaded[number] = {n: materialise(v, content) for n, v in given.items() if isinstance(v, Offloaded)}
        return machine.values(address)

    def computed(self, fact: NodeSucceeded) -> TaskSpec | None:
        """The task whose outputs a fact gives, if it is one whose outputs follow from its inputs."""
        address, graph = fact.node, self.machine.graph
        task = graph.task(address)
        if task is None or task.dynamic or (not is_item(address) and isinstance(graph.kind(address), MapKind)):
            return None
        return task


def content(literal: Offloaded) -> bytes:
    """What is stored under a reference: it says so itself, since stored content never changes."""
    return stored(int(literal.uri.rpartition(":")[2], 16))


def stored(number: int) -> bytes:
    """The list that is stored under a number."""
    return canonical(list(range(number % 4)))


def outputs_of(task: TaskSpec, inputs: Literals) -> Literals:
    """What a task gives for its inputs: always the same, and another for others."""
    seen = sorted(input_digests(task, inputs).items())
    number = int(hashlib.sha256(f"{task.name} {seen}".encode()).hexdigest()[:8], 16)
    outputs: dict[str, Any] = {}
    for variable in task.interface.outputs:
        if not isinstance(variable.type, ListType):
            outputs[variable.name] = Inline(number % 1000)
        elif number % 3 == 0:
            outputs[variable.name] = Inline(list(range(number % 4)))
        else:
            outputs[variable.name] = Offloaded(f"sim:{number:x}", 100_000, f"sha256:{number % 4}")
    return outputs
