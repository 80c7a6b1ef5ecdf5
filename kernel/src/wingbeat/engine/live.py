"""One execution while it is in memory: its machine, its place in the journal, and who waits for it."""

from __future__ import annotations

import asyncio

from wingbeat.contracts.catalog import CacheKey
from wingbeat.contracts.journal import Record
from wingbeat.contracts.observer import Published
from wingbeat.machine.effect import Effect
from wingbeat.machine.fact import Fact
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import Closure

SNAPSHOT_FACTS_MIN = 5000


class Live:
    """What the engine holds for an execution that has not ended.

    Attributes:
        sequence: Number of the next row in the journal.

        facts: Said but not committed yet.

        held: Effects that wait for that commit.

        cursor: Number of the next published event.

        launched: Done when the launch is durable.

        waiters: How many callers wait for the end; `resume` only takes executions that nobody waits for or follows.
    """

    def __init__(self, record: Record, closure: Closure, machine: Machine, sequence: int = 0, cursor: int = 0) -> None:
        self.record, self.closure, self.machine = record, closure, machine
        self.id = record.execution
        self.sequence, self.cursor = sequence, cursor
        self.facts: list[Fact] = []
        self.held: list[Effect] = []
        self.keys: dict[int, CacheKey] = {}
        self.launched: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self.waiters = 0
        self.subscribers: list[asyncio.Queue[list[Published]]] = []
        self.facts_since_snapshot = 0
        self.snapshot_due_at = max(SNAPSHOT_FACTS_MIN, len(machine.plan.nodes))

    def node_id(self, node: int) -> str:
        """The id of a node by its number."""
        return self.machine.plan.nodes[node].id
