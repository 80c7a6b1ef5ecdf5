"""One execution while it is in memory: its machine, its place in the journal, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, cast

import msgspec

from wingbeat.base.errors import WingbeatError
from wingbeat.contracts.catalog import CacheKey
from wingbeat.contracts.engine import Vouched
from wingbeat.contracts.executor import Progress
from wingbeat.contracts.journal import Record
from wingbeat.contracts.observer import Published
from wingbeat.machine.contradiction import contradiction, repeats
from wingbeat.machine.effect import Effect
from wingbeat.machine.event import Signalled
from wingbeat.machine.fact import Fact
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import template_id
from wingbeat.spec.entities import Borrowed, Closure, TaskSpec
from wingbeat.spec.plan import Plan

SNAPSHOT_FACTS_MIN = 5000
DURABLE_S_MAX = 1.0
"""How long to wait for a commit before the journal is read instead."""

Sent = tuple[int, int, TaskSpec, str]
"""An attempt: its node or item, its number, the task that it is made with, and the name of its executor."""


class Live:
    """What the engine holds for an execution that has not ended.

    Attributes:
        sequence: Number of the next row in the journal.

        facts: Said but not committed yet.

        held: Effects that wait for that commit.

        cursor: Number of the next published event.

        launched: Done when the launch is durable.

        called: Closures that dynamic workflows called, by the digest of their root.

        committing: Whether something that was said is on its way into the journal.

        acknowledged: Done when what was said up to now is durable; with why a signal was refused, empty if it was not.

        signalled: By the id of a signal, who waits for its being durable.

        sent: By id, the attempts that were asked for since the kernel started, and whose end was not reported.

        progress: By node or item, the number of the attempt that runs and how far it says that it is.

        dropped: It was let go of; what is posted for it counts no more.

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
        self.committing = self.dropped = False
        self.acknowledged: dict[asyncio.Future[str], str] = {}
        self.signalled: dict[str, list[asyncio.Future[str]]] = {}
        self.progress: dict[int, tuple[int, Progress]] = {}
        self.sent: dict[str, Sent] = {}
        self.facts_since_snapshot = 0

    def node_id(self, address: int) -> str:
        """The id of a node or item."""
        return self.machine.graph.id(address)

    def expect(self, signal: str) -> asyncio.Future[str]:
        """Done when a signal that is about to be posted is durable, or with why it was refused."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.signalled.setdefault(signal, []).append(done)
        return done

    def refusal(self, event: Signalled) -> str:
        """Why the machine, which has been told, did not take a signal; empty if it did."""
        state = self.machine.state
        if event.id in state.answered or repeats(self.machine, event.name, event.value):
            return ""
        ended = f"it has ended ({state.phase.value}); nothing waits for {event.name!r}." if state.phase.terminal else ""
        return contradiction(self.machine, event.name, event.value) or ended

    @property
    def unsaved(self) -> bool:
        """Whether the state is ahead of the journal."""
        return bool(self.facts) or self.committing or not self.launched.done()

    async def durable(self) -> bool:
        """Wait until what was said up to now is durable; False if that takes long, as it does while the disk is full."""
        try:
            async with asyncio.timeout(DURABLE_S_MAX):
                await asyncio.shield(self.launched)
                if self.facts or self.committing:
                    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                    self.acknowledged[done] = ""
                    await asyncio.shield(done)
        except TimeoutError:
            return False
        return True

    def acknowledge(self) -> None:
        """What was said is durable."""
        for done, refused in self.acknowledged.items():
            if not done.done():
                done.set_result(refused)
        self.acknowledged.clear()

    def vouch(self, attempt: str) -> Vouched | None:
        """See `Vouching.vouch`; of this execution."""
        node, number, task, _ = self.sent.get(attempt, (-1, -1, None, ""))
        seen = None if task is None else self.machine.state.seen(node)
        open_ = None if seen is None else seen.open_attempt
        if task is None or open_ is None or open_.number != number or open_.cancel:
            return None
        return Vouched(self.record.created_at, self.record.labels, tuple(secret.name for secret in task.secrets))

    def let_go(self, error: WingbeatError) -> None:
        """Tell everybody who waits for something that it does not come, here and now."""
        signals = chain(self.acknowledged, *self.signalled.values())
        for done in cast("Iterable[asyncio.Future[Any]]", (self.launched, *signals)):
            if not done.done():
                done.set_exception(error)
                done.exception()  # whoever waited may be gone
        self.acknowledged.clear()
        self.signalled.clear()
        self.held.clear()
        self.dropped = True
        self.ended.set()

    def call(self, closure: Closure, plan: Plan) -> None:
        """Know what a dynamic workflow has called."""
        name = template_id(closure)
        if name not in self.called:
            self.called[name] = closure
            self.machine.graph.templates[name] = plan

    def closures(self) -> Iterator[Closure]:
        """All that the execution may run: what was launched, and what dynamic workflows called."""
        yield self.closure
        yield from self.called.values()

    def code(self, address: int) -> Borrowed | Closure:
        """Where code and environment of a node or item are: those of this execution, unless they are somebody else's."""
        return self.machine.graph.borrowed(address) or self.closure

    def with_code(self, closure: Closure, address: int) -> Closure:
        """A closure with the code and environment of the node or item that calls it."""
        code = self.code(address)
        return msgspec.structs.replace(closure, bundle=code.bundle, environment=code.environment)

    @property
    def snapshot_due(self) -> bool:
        """Whether so many facts were said that the state is written down again: in proportion to what that costs."""
        if self.facts_since_snapshot < SNAPSHOT_FACTS_MIN:
            return False
        state = self.machine.state
        return self.facts_since_snapshot >= len(state.nodes) + sum(m.total for m in state.maps.values())
