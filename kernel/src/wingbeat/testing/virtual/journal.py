"""The journal of a virtual world: one store, and a connection of each kernel to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from wingbeat.base.errors import JournalUnknown
from wingbeat.compile.flatten import flatten
from wingbeat.contracts.engine import Quota
from wingbeat.contracts.journal import Batch, Change, FencedOut, Record, Row, Snapshot, StorageFull
from wingbeat.machine.fact import decode_facts
from wingbeat.spec.codec import read_closure
from wingbeat.spec.plan import Plan
from wingbeat.testing.virtual.checks import check_fact_said, check_limits, check_row
from wingbeat.testing.virtual.shadow import Shadow
from wingbeat.testing.virtual.world import World

if TYPE_CHECKING:
    from wingbeat.testing.virtual.kernels import Kernel

COMMIT_S = 0.004
SLOW_S = 3.0


class Store:
    """What is durable. It survives every kernel.

    Attributes:
        shadows: Every execution, folded.

        limits: How many executions may be under way at once, by the name of a limit.

        quota: How many of a place.

        changed: The number of what has changed last of each execution, in the order of these.
    """

    def __init__(self, world: World, limits: Mapping[str, int], quota: Quota | None) -> None:
        self.world, self.limits, self.quota = world, limits, quota
        self.fence = 0
        self.records: dict[str, Record] = {}
        self.rows: dict[str, list[Row]] = {}
        self.closures: dict[str, bytes] = {}
        self.snapshots: dict[str, list[Snapshot]] = {}
        self.shadows: dict[str, Shadow] = {}
        self.plans: dict[str, Plan] = {}
        self.live: dict[str, None] = {}
        self.changed: dict[str, int] = {}
        self._changes = 0
        self.launched: Callable[[Record], None] = lambda record: None
        """Called for what is launched, when it is durable."""

    def commit(self, batch: Batch, who: str) -> None:
        """Make a batch durable. What was checked by the fence is checked by now."""
        world = self.world
        self.closures.update(batch.closures)
        for record in batch.launches:
            if record.execution in self.records:
                world.fail("I1", f"execution {record.execution} is launched twice")
                return
            self.records[record.execution] = record
            self.rows[record.execution] = []
            self.shadows[record.execution] = Shadow(record, self._plan(record.closure))
            self.live[record.execution] = None
            self._change(record.execution)
            world.note(who, f"launched {record.execution}")
            self.launched(record)
        for row in batch.rows:
            self._row(row, who)
        for ended in batch.phases:
            old = self.records[ended.execution]
            self.records[ended.execution] = Record(
                old.execution, old.closure, old.workflow, old.inputs, old.launch_key, old.created_at, ended.phase,
                ended.at, old.labels,
            )  # fmt: skip
            self._change(ended.execution)
            if ended.at is not None:
                self.live.pop(ended.execution, None)
        check_limits(self)

    def _change(self, execution: str) -> None:
        self._changes += 1
        self.changed.pop(execution, None)
        self.changed[execution] = self._changes

    def _row(self, row: Row, who: str) -> None:
        rows = self.rows.get(row.execution)
        if rows is None or row.sequence != len(rows):
            self.world.fail("I2", f"row {row.sequence} of {row.execution} does not follow {rows and len(rows)}")
            return
        rows.append(row)
        shadow, facts = self.shadows[row.execution], decode_facts(row.body)
        for fact in facts:
            if template := getattr(fact, "template", ""):
                self._plan(template, shadow)
            check_fact_said(self.world, shadow, fact)
            shadow.take(fact)
        self.world.note(who, f"{row.execution} {row.sequence}: {' '.join(type(f).__name__ for f in facts)}")
        check_row(self.world, shadow)

    def _plan(self, closure: str, shadow: Shadow | None = None) -> Plan:
        if closure not in self.plans:
            self.plans[closure] = flatten(read_closure(self.closures[closure]))
        if shadow is not None:
            shadow.machine.graph.templates[closure] = self.plans[closure]
        return self.plans[closure]


class SimJournal:
    """A `wingbeat.contracts.journal.Journal`: one kernel's connection."""

    def __init__(self, store: Store, kernel: Kernel) -> None:
        self.store, self.world, self.kernel = store, store.world, kernel
        self._chance = self.world.chance
        self._rng = self._chance.rng("journal")

    async def open(self, owner: str) -> int:
        """See `Journal.open`."""
        await self._work()
        if self._chance.fires("journal: cannot be opened"):
            raise JournalUnknown("The journal cannot be opened.")
        self.store.fence += 1
        self.world.note(owner, f"has the fence {self.store.fence}")
        return self.store.fence

    async def open_to_read(self) -> None:
        """Nobody looks at a simulated home."""
        raise NotImplementedError

    async def append(self, batch: Batch, fence: int) -> None:
        """See `Journal.append`: the fence is checked in the step that writes."""
        chance, kernel = self._chance, self.kernel
        kernel.acts("append")
        await self._work()
        if chance.fires("journal: full"):
            raise StorageFull("The disk is full.")
        if chance.fires("kernel: killed before a commit"):
            await self._die()
        if fence != self.store.fence:
            kernel.fenced = True
            self.world.fired["fenced out"] += 1
            self.world.note(kernel.name, "is fenced out")
            raise FencedOut("Another kernel has taken over.")
        if chance.fires("journal: unknown, not written"):
            raise JournalUnknown("The answer was lost.")
        self.store.commit(batch, kernel.name)
        if chance.fires("kernel: killed after a commit"):
            await self._die()
        if chance.fires("journal: unknown, written"):
            raise JournalUnknown("The answer was lost.")
        await self._work()

    async def snapshot(self, snapshot: Snapshot, fence: int) -> None:
        """See `Journal.snapshot`."""
        await self._work()
        if fence == self.store.fence and not self._chance.fires("journal: snapshot lost"):
            self.world.fired["snapshot"] += 1
            self.store.snapshots.setdefault(snapshot.execution, []).append(snapshot)

    async def closure(self, digest: str) -> bytes | None:
        """See `Journal.closure`."""
        await self._read()
        return self.store.closures.get(digest)

    async def record(self, execution: str) -> Record | None:
        """See `Journal.record`."""
        await self._read()
        return self.store.records.get(execution)

    async def records(
        self, *, live: bool | None = None, launch_key: str | None = None, after: str = "", limit: int = 100
    ) -> list[Record]:
        """See `Journal.records`."""
        await self._read()
        known = self.store.records
        ids = list(known) if live is not True else [e for e in known if e in self.store.live]
        ids.reverse()
        if after in ids:
            ids = ids[ids.index(after) + 1 :]
        found = [known[e] for e in ids if live is not False or e not in self.store.live]
        return [r for r in found if launch_key is None or r.launch_key == launch_key][:limit]

    async def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """See `Journal.changes`."""
        await self._read()
        behind = takewhile(lambda each: each[1] > after, reversed(self.store.changed.items()))
        found = [Change(number, self.store.records[execution]) for execution, number in behind]
        return found[::-1][:limit]

    async def read(self, execution: str, after: int = -1) -> list[Row]:
        """See `Journal.read`."""
        try:
            await self._read()
        except JournalUnknown:
            self.kernel.unread.add(execution)
            raise
        return self.store.rows.get(execution, [])[after + 1 :]

    async def latest(self, execution: str) -> Snapshot | None:
        """See `Journal.latest`."""
        await self._read()
        found = self.store.snapshots.get(execution)
        if not found:
            return None
        if len(found) > 1 and self._chance.fires("journal: snapshot older"):
            return found[-2]
        self.world.fired["restart from snapshot"] += 1
        return found[-1]

    async def close(self) -> None:
        """See `Journal.close`."""

    async def _work(self) -> None:
        slow = self._chance.fires("journal: slow")
        await asyncio.sleep(self._rng.random() * (SLOW_S if slow else COMMIT_S))

    async def _read(self) -> None:
        await asyncio.sleep(self._rng.random() * COMMIT_S)
        if self._chance.fires("journal: cannot be read"):
            raise JournalUnknown("The journal cannot be read.")

    async def _die(self) -> None:
        self.kernel.kill("at a commit")
        await self.world.never()
