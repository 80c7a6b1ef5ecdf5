"""Who plays beside the machine in a simulated world: attempts, kernels that stand still, and who reads the journal."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from wingbeat.contracts.executor import Replay
from wingbeat.machine import event as e
from wingbeat.machine.effect import Effect
from wingbeat.machine.fact import Fact, decode_facts, encode_facts
from wingbeat.machine.fold import replay
from wingbeat.machine.graph import Graph
from wingbeat.machine.state import State, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.literal import Literals
from wingbeat.spec.plan import Plan


class Attempt(Struct):
    """What the executor knows of an attempt.

    Attributes:
        values: Its inputs, which must be the same whenever it is submitted.

        report: How it ended.

        lined: It waits for slots of a pool.
    """

    values: Literals | None = None
    running: bool = False
    cancelled: bool = False
    replay: Replay | None = None
    report: e.Event | None = None
    lined: bool = False


class Paused(Struct, eq=False):
    """A kernel that stands still while another one has taken over: its machine, and what it was about to write and to do."""

    machine: Machine
    said: list[Fact]
    held: list[Effect]


class Reader:
    """Follows the journal, as bytes, and folds each fact once: who begins anew has to get to the same."""

    def __init__(self, plan: Plan, templates: dict[str, Plan]) -> None:
        self._graph, self._state = Graph(plan, templates), initial(plan)
        self._count = 0
        self.digest = hashlib.sha256()

    def read(self, journal: list[Fact]) -> State:
        """What all that is written comes to."""
        if len(journal) > self._count:
            row = encode_facts(journal[self._count :])
            self._count = len(journal)
            self.digest.update(row)
            replay(self._graph, decode_facts(row), self._state)
        return self._state
