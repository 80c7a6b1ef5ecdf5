"""One execution while it is in memory: its machine, its place in the journal, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from wingbeat.contracts.catalog import CacheKey
from wingbeat.contracts.executor import Progress
from wingbeat.contracts.journal import Record
from wingbeat.contracts.observer import Published
from wingbeat.machine.effect import Effect
from wingbeat.machine.fact import Fact
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import Closure
from wingbeat.spec.plan import Plan

SNAPSHOT_FACTS_MIN = 5000


class Live:
    """What the engine holds for an execution that has not ended.

    Attributes:
        sequence: Number of the next row in the journal.

        facts: Said but not committed yet.

        held: Effects that wait for that commit.

        cursor: Number of the next published event.

        launched: Done when the launch is durable.

        called: Closures that dynamic workflows called, by the digest of their root.

        acknowledged: Done when what was said up to now is durable.

        progress: By node or item, the number of the attempt that runs and how far it says that it is.

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
        self.called: dict[str, Closure] = {}
        self.acknowledged: list[asyncio.Future[None]] = []
        self.progress: dict[int, tuple[int, Progress]] = {}
        self.facts_since_snapshot = 0

    def node_id(self, address: int) -> str:
        """The id of a node or item."""
        return self.machine.graph.id(address)

    def call(self, closure: Closure, plan: Plan) -> None:
        """Know what a dynamic workflow has called."""
        if closure.root not in self.called:
            self.called[closure.root] = closure
            self.machine.graph.templates[closure.root] = plan

    def closures(self) -> Iterator[Closure]:
        """All that the execution may run: what was launched, and what dynamic workflows called."""
        yield self.closure
        yield from self.called.values()

    def code(self, closure: Closure) -> Closure:
        """A closure with the code and environment of this execution."""
        return msgspec.structs.replace(closure, bundle=self.closure.bundle, environment=self.closure.environment)

    @property
    def snapshot_due_at(self) -> int:
        """After how many facts the state is written down: in proportion to what that costs."""
        state = self.machine.state
        return max(SNAPSHOT_FACTS_MIN, len(state.nodes) + sum(m.total for m in state.maps.values()))
