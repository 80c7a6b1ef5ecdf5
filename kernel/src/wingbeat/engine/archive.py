"""Executions as the journal has them: plans, states and views of what is not in memory. Also all that a reader needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from wingbeat.base.errors import EngineStopped, JournalDamaged, JournalUnknown, NotFound
from wingbeat.base.ids import digest
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.contracts.engine import Change, ExecutionView, Summary
from wingbeat.contracts.journal import Journal, Record, Snapshot, StorageFull
from wingbeat.contracts.observer import Published
from wingbeat.engine.explain import explain_cache
from wingbeat.engine.live import Live
from wingbeat.engine.publish import published
from wingbeat.engine.together import Together
from wingbeat.engine.views import execution_view, summary
from wingbeat.machine.fact import Fact, Opened, decode_facts
from wingbeat.machine.fold import replay
from wingbeat.machine.graph import Graph
from wingbeat.machine.state import State, decode_state, encode_state, graph_of, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import canonical, check_closure, read_known, template_id
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literals
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.plan import Plan

PLANS_MAX = 256
LOOKED_THROUGH_MAX = 10_000
LIMIT = "wingbeat/limit"
"""Label of an execution under a limit: the limit's name. By it a restart knows who has begun."""


class _Stored(msgspec.Struct, array_like=True):
    """A snapshot: how many events came before, and the state."""

    cursor: int
    state: msgspec.Raw


class Archive:
    """Reads the journal. Closures and their plans are kept, since executions share them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._told = Together(self._events)
        self._closures: dict[str, Closure] = {}
        self._plans: dict[str, Plan] = {}
        self._unsaved: dict[str, bytes] = {}
        self._digests: dict[int, tuple[Closure, str]] = {}
        self._going: set[str] = set()
        self._gone = asyncio.Event()

    def keep(self, closure: Closure) -> str:
        """Take up a closure that is launched: check it, make its plan; answers with its digest."""
        known = self._digests.get(id(closure))
        if known is not None and known[0] is closure and known[1] in self._plans:
            return known[1]
        body = canonical(closure)
        name = digest(body)
        if name not in self._plans:
            check_closure(closure)
            check(closure)
            self._remember(name, closure)
            self._unsaved[name] = body
        if len(self._digests) > PLANS_MAX:
            self._digests.clear()
        self._digests[id(closure)] = (closure, name)
        return name

    def template(self, closure: Closure) -> tuple[Closure, Plan]:
        """Take up what a dynamic workflow called: check it, make its plan. See `wingbeat.spec.codec.template_id`.

        Raises:
            WingbeatError: It cannot be run.
        """
        name = template_id(closure)
        if name not in self._plans:
            check_closure(closure)
            check(closure)
            self._remember(name, closure)
            self._unsaved[name] = canonical(closure)
        return self._closures[name], self._plans[name]

    def plan(self, closure: str) -> Plan:
        """The plan of a closure that was kept or read."""
        return self._plans[closure]

    def unsaved(self, closure: str) -> bytes | None:
        """The bytes of a closure that the journal does not have yet."""
        return self._unsaved.get(closure)

    def saved(self, closures: dict[str, bytes]) -> None:
        """These are in the journal now."""
        for name in closures:
            self._unsaved.pop(name, None)

    def knows(self, closure: str) -> bool:
        """Whether a closure is in memory, so that who launches it may believe that the journal has it."""
        return closure in self._plans

    @contextlib.contextmanager
    def forgetting(self, closures: Sequence[str]) -> Iterator[None]:
        """While the journal forgets these, nobody reads them: what was read would be believed to be there afterwards."""
        self._going, self._gone = {*closures}, asyncio.Event()
        try:
            yield
        finally:
            self._going = set()
            self._gone.set()

    async def record(self, execution: str) -> Record:
        """What is known of an execution. Raises NotFound."""
        return _whole(await self._found(execution))

    async def _found(self, execution: str) -> Record:
        record = await self._journal.record(execution)
        if record is None:
            raise NotFound(f"There is no execution {execution!r}.", hint="'wingbeat get executions' lists them.")
        return record

    async def over(self, execution: str) -> ExecutionPhase:
        """The phase of an execution that nobody here runs. Raises NotFound, and EngineStopped if it has not ended."""
        phase = ExecutionPhase((await self._settled(await self.record(execution))).phase)
        if not phase.terminal:
            raise EngineStopped(
                f"Another kernel runs the execution {execution!r}.",
                hint="If there is none, its journal has lost what was appended: 'wingbeat plugins check' tests journals.",
            )
        return phase

    async def closure(self, execution: str) -> Closure:
        """The closure of an execution. Raises NotFound."""
        return await self._load((await self.record(execution)).closure)

    async def executions(self, *, after: str, limit: int) -> list[Summary]:
        """A page of executions, newest first. Raises NotFound for an `after` that is not there."""
        if after:
            await self._found(after)
        records = await self._journal.records(after=after, limit=limit)
        return [summary(await self._settled(record)) for record in records]

    async def changes(self, after: int, limit: int) -> list[Change]:
        """A page of executions in the order in which they changed."""
        found = await self._journal.changes(after, limit)
        return [Change(change.number, summary(await self._settled(change.record))) for change in found]

    async def _settled(self, record: Record) -> Record:
        """A record with the phase that its facts give, where its own cannot be believed."""
        if not record.doubtful:
            return record
        try:
            state = (await self.live(record.execution, record)).machine.state
        except JournalUnknown:  # nothing tells that it has ended
            return msgspec.structs.replace(record, phase=ExecutionPhase.RUNNING, ended_at=None)
        return msgspec.structs.replace(record, phase=state.phase, ended_at=state.ended_at)

    async def holders(self, limit: str) -> list[str]:
        """Executions under a limit that have begun and not ended, the oldest first, as far as they are looked for."""
        records = await self._journal.records(live=True, limit=LOOKED_THROUGH_MAX)
        queued = ExecutionPhase.QUEUED
        return [r.execution for r in reversed(records) if r.labels.get(LIMIT) == limit and r.phase != queued]

    async def live(self, execution: str, record: Record | None = None) -> Live:
        """An execution put together again from its facts; `record` where it is at hand."""
        record = _whole(record) if record is not None else await self.record(execution)
        closure = await self._load(record.closure)
        plan = self._plans[record.closure]
        snapshot = await self._journal.latest(execution)
        state: State | None = None
        cursor, sequence = 0, -1
        if snapshot is not None:
            stored = msgspec.msgpack.decode(snapshot.body, type=_Stored)
            state, cursor, sequence = decode_state(bytes(stored.state)), stored.cursor, snapshot.sequence
        facts, sequence = await self._facts(execution, sequence)
        inputs = msgspec.msgpack.decode(record.inputs, type=Literals)
        machine = Machine(Graph(plan), inputs, state or initial(plan))
        live = Live(record, closure, machine, sequence + 1, cursor + len(facts))
        opened = [scope.template for scope in machine.state.scopes]
        opened += [fact.template for fact in facts if type(fact) is Opened]
        for name in dict.fromkeys(filter(None, opened)):
            called = await self._load(name)
            live.call(called, self._plans[name])
        replay(graph_of(machine.graph, machine.state), facts, machine.state)
        live.launched.set_result(None)
        return live

    async def view(self, execution: str, *, nodes: bool) -> ExecutionView:
        """An execution as it was last written."""
        live = await self.live(execution)
        live.machine.outstanding()  # which notes for what its nodes wait
        return execution_view(live.record, live.machine, nodes)

    async def events(self, execution: str, cursor: int) -> list[Published]:
        """Everything that happened behind `cursor`; the list is that of all who ask."""
        return await self._told.ask((execution, cursor))

    async def _events(self, asked: tuple[str, int]) -> list[Published]:
        execution, cursor = asked
        live = await self.live(execution)
        facts, _ = await self._facts(execution, -1)
        known = facts[cursor + 1 : live.cursor]  # what was written since may name nodes that `live` does not have
        return published(execution, live.machine.graph, known, cursor + 1)

    async def explain_cache(self, execution: str, node: str, live: Live | None = None) -> str:
        """Why a node's outputs were or were not taken from the catalog; of an execution in memory, or as it was written."""
        found = live or await self.live(execution)
        address = found.machine.graph.find(node)
        ended = address is not None and found.machine.state.seen(address) is None
        return explain_cache(found, node, await self.events(execution, -1) if ended else ())

    async def snapshot(self, live: Live, fence: int) -> None:
        """Keep a state, so that a restart does not read all rows."""
        if live.facts:
            return  # the state is ahead of what is durable
        body = msgspec.msgpack.encode(_Stored(live.cursor, msgspec.Raw(encode_state(live.machine.state))))
        with contextlib.suppress(StorageFull):  # the rows are there
            await self._journal.snapshot(Snapshot(live.id, live.sequence - 1, body), fence)

    async def _facts(self, execution: str, after: int) -> tuple[list[Fact], int]:
        rows = await self._journal.read(execution, after)
        return [fact for row in rows for fact in decode_facts(row.body)], rows[-1].sequence if rows else after

    async def _load(self, name: str) -> Closure:
        if name in self._going:
            await self._gone.wait()
        if name not in self._closures:
            body = await self._journal.closure(name)
            if body is None:
                raise JournalUnknown(f"The journal lacks the closure {name}.")
            self._remember(name, _read_closure(name, body))
        return self._closures[name]

    def _remember(self, name: str, closure: Closure) -> None:
        if len(self._plans) >= PLANS_MAX:  # the oldest half; whoever uses one holds it
            for old in list(self._plans)[: PLANS_MAX // 2]:
                if old not in self._unsaved:
                    del self._plans[old], self._closures[old]
        self._closures[name], self._plans[name] = closure, flatten(closure)


def _whole(record: Record) -> Record:
    if record.damaged:
        raise JournalDamaged(f"The record of execution {record.execution} is damaged in the journal.")
    return record


def _read_closure(name: str, body: bytes) -> Closure:
    """A stored closure, if it is what was stored: under its own digest, or (a called one) under that of its root."""
    try:
        closure = read_known(body, name)
    except Exception as error:
        raise JournalDamaged(f"The closure {name} is damaged in the journal: {error}") from error
    if name not in (closure.root, digest(body)):
        raise JournalDamaged(f"The closure {name} is damaged in the journal.")
    return closure
