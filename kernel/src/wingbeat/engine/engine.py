"""The loop: inbox, machine, journal, effects.

Theory. Everything that happens becomes an event in one inbox. The loop takes all events that are there, steps the machines
they belong to, and commits all facts that this gave in one transaction (group commit: while one is under way, the next
fills). Only then are the effects performed, through contracts; what they bring about comes back as events. So a fact and
the intents that follow from it are durable together, before anything outside can see them, and a crash at any point leaves
either nothing or an intent that is performed again under the same name.

Effects that only ask (lookups, timers) need not wait for a commit, and a chain of cache hits is committed as one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from wingbeat.base.errors import ConflictError, EngineStopped, WingbeatError
from wingbeat.base.ids import attempt_id, check_execution_id, short_id
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import Change, ExecutionView, LaunchReply, LaunchRequest, RecoveryPlan, Summary, Vouched
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.journal import Batch, Record, StorageFull
from wingbeat.contracts.observer import Published
from wingbeat.engine import asked
from wingbeat.engine.admission import Admission
from wingbeat.engine.archive import Archive
from wingbeat.engine.batch import batch_of, drop_launches
from wingbeat.engine.bounded import BoundedJournal
from wingbeat.engine.changes import Changes
from wingbeat.engine.children import Children
from wingbeat.engine.collecting import no_collection
from wingbeat.engine.dispatch import Dispatcher
from wingbeat.engine.earlier import Earlier
from wingbeat.engine.eviction import evict
from wingbeat.engine.feed import Feed
from wingbeat.engine.forgetting import Forgetting
from wingbeat.engine.identity import launch_key
from wingbeat.engine.live import Live
from wingbeat.engine.loading import Loading
from wingbeat.engine.memo import Memo
from wingbeat.engine.parts import Parts
from wingbeat.engine.pools import Pools
from wingbeat.engine.publish import published
from wingbeat.engine.recovery import Recovery
from wingbeat.engine.reports import Reports, note_waiting
from wingbeat.engine.requests import Requests
from wingbeat.engine.reuse import Reuse
from wingbeat.engine.routes import Routes, capabilities
from wingbeat.engine.timers import Timers
from wingbeat.engine.views import execution_view
from wingbeat.engine.waiting import AtExecutors, explain_waiting, running_beside
from wingbeat.machine.effect import (
    Cancel,
    CancelChild,
    Effect,
    Finish,
    LaunchChild,
    Load,
    Lookup,
    Publish,
    Release,
    SetTimer,
    Submit,
)
from wingbeat.machine.event import AbortAsked, Event, Launched, Signalled, SlotsFree, TimerFired
from wingbeat.machine.graph import Graph
from wingbeat.machine.state import initial
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

DRAIN_MAX = 5000
LINGER_S = 0.005
FULL_AGAIN_S = 1.0
ENDED_S = 1.0
"""How long an execution stays in memory behind its end: who waited for it asks for its outputs next."""


class LocalEngine:
    """The engine of this process: a `wingbeat.contracts.engine.Engine`."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock
        self._journal = BoundedJournal(parts.journal, parts.journal_name)
        self._archive = Archive(self._journal)
        self._changes = Changes(self._archive, self._check_running)
        self._lives: dict[str, Live] = {}
        self._memo = Memo(parts.catalog, parts.catalog_name, parts.storage, parts.clock, self._post, self._quarantine)
        self._timers = Timers(parts.clock, self._timer_due)
        self._loading = Loading(parts.storage, parts.clock, self._post, self._quarantine)
        self._children = Children(self, parts.clock, self._post, self._quarantine)
        able, unusable = capabilities(parts.executors, parts.default_executor)
        self._routes = Routes(
            able, parts.inline, parts.default_executor, frozenset(parts.pools), parts.rules,
            parts.secrets, parts.tokens,
        )  # fmt: skip
        for name, why in unusable.items():
            self._routes.without(name, why)
        self._feed = Feed(parts.observers)
        self._inbox: deque[tuple[Live, Event]] = deque()
        self._wake = asyncio.Event()
        self._requests = Requests(self._routes, self._feed, parts.clock, self._post)
        self._pools = Pools(
            parts.pools, parts.clock, self._submit, self._slots_free, partial(note_waiting, self._lives)
        )
        self._sinks = {
            name: Reports(name, self._lives, self._archive, self._routes, parts.clock, self._post, self._quarantine)
            for name in parts.executors
        }
        self._dispatchers = {name: Dispatcher(name, e, self._sinks[name]) for name, e in parts.executors.items()}
        self._ended: dict[str, Live] = {}
        self._touched: dict[str, Live] = {}
        self._holding: dict[str, Live] = {}
        self._launching: list[Live] = []
        self._lingering: asyncio.TimerHandle | None = None
        self._linger_over = False
        self._loop: asyncio.Task[None] | None = None
        self._fence = -1
        self._stopped: WingbeatError | None = None
        self._full: StorageFull | None = None
        self.quarantined: dict[str, str] = {}
        self._admission = Admission(self._lives, self.quarantined, parts.clock, self._post)
        self._recovery = Recovery(
            self._archive, self._routes, self._loading, self._memo, self._pools, self._admission, self._dispatchers,
            self._lives, self.quarantined, self._requests, self._perform, self._feed,
        )  # fmt: skip
        self.forgetting = Forgetting(self._journal, self._archive, self._lives, self._ended, self._memo)
        self._earlier = Earlier(
            self._lives, self._recovery.left, self._archive, self._journal, self._loading, parts.storage
        )

    # -- life

    async def start(self, owner: str) -> None:
        """Open the journal, take up every execution that has not ended, and begin to work."""
        try:
            self._fence = await self._journal.open(owner)
            hit("start.fenced")
            await self._feed.start()
            await self._memo.start()
            for name, dispatcher in self._dispatchers.items():
                needed = name == self._parts.default_executor
                if self._routes.usable(name) and (why := await dispatcher.open(needed=needed)):
                    self._routes.without(name, why)
            with no_collection():
                wrong = await self._recovery.start(await self._journal.records(live=True, limit=10**9))
            if wrong:
                with contextlib.suppress(StorageFull):  # then it is found out again
                    await self._journal.append(Batch(phases=wrong), self._fence)
        except BaseException:
            await self.close()
            raise
        self._loop = asyncio.create_task(self._run(), name="engine")

    async def close(self) -> None:
        """Stop in order: nothing more is decided; what runs goes on by itself and is adopted at the next start."""
        self._stop(EngineStopped("The engine was closed."))
        if self._loop is not None:
            await asyncio.gather(self._loop, return_exceptions=True)
        await asyncio.gather(*(dispatcher.close() for dispatcher in self._dispatchers.values()))
        await self._memo.close()
        await self._recovery.close()
        await self._loading.close()
        await self._children.close()
        await self._feed.close()
        await self._journal.close()

    async def forget(self, executions: Sequence[str], closures: Sequence[str] = ()) -> int:
        """See `Forgetting.forget`."""
        self._check_running()
        return await self.forgetting.forget(executions, closures, self._fence)

    def idle(self) -> bool:
        """Whether no execution is under way."""
        return not self._lives

    # -- contracts.engine.Engine

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """See `Engine.launch`."""
        self._check_running()
        request = asked.settled(request)
        name = check_execution_id(request.name) if request.name else short_id(self._clock.entropy())
        closure_digest = self._archive.keep(request.closure)
        if not request.launch_key:
            request = replace(request, launch_key=launch_key(request.closure, request.inputs))
        request, found = await self._earlier.resumed(request)
        reuse = await self._earlier.reuse(request) if found is None else Reuse()
        existing = await self._earlier.existing(name)  # last: nothing may happen between this and taking the name
        self._check_running()  # it may have stopped meanwhile, and would never answer
        if existing is None and found:
            return LaunchReply(found.id, created=False)
        if existing is not None:
            if (existing.closure, existing.launch_key) != (closure_digest, request.launch_key):
                raise ConflictError(f"Execution {name!r} is there already, of another workflow or with other inputs.")
            return LaunchReply(name, created=False)
        if self._full is not None:
            raise StorageFull(f"{self._full.message} No new execution is taken.", hint=self._full.hint)
        plan = self._archive.plan(self._archive.keep(request.closure))
        labels = self._routes.labels(request.closure, request.labels)
        labels |= asked.labels_of(request)
        self._routes.check(request.closure, labels)
        self._routes.check_launch(request.closure, labels)
        if name in self._lives or name in self._ended:  # somebody was faster with the same name
            return await self.launch(request)
        seed = int.from_bytes(self._clock.entropy()[:6], "big")
        taken = reuse.nodes, request.recover, reuse.later, reuse.left, reuse.moved
        launched = Launched(self._clock.now(), seed, *taken)
        first, phase, limit = self._admission.arrive(name, request, launched)
        record = Record(
            execution=name, closure=closure_digest, workflow=request.closure.workflow.name,
            inputs=msgspec.msgpack.encode(request.inputs), launch_key=request.launch_key, created_at=launched.at,
            phase=phase, labels={**labels, **limit},
        )  # fmt: skip
        live = Live(record, request.closure, Machine(Graph(plan), request.inputs, initial(plan)))
        self._lives[name] = live
        self._launching.append(live)
        self._post(live, first)
        self._admission.launched(name)
        await asyncio.shield(live.launched)
        hit("launch.acknowledge")
        return LaunchReply(name, recovered=len(reuse.nodes))

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        return await self._earlier.plan(request)

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`."""
        live = self._lives.get(execution)
        if live is None:
            return await self._over(execution)
        live.waiters += 1
        try:
            await live.ended.wait()
        finally:
            live.waiters -= 1
        self._check_ended(live)
        return live.machine.state.phase

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`."""
        live = self._lives.get(execution) or self._ended.get(execution)
        if live is None:
            self._recovery.check(execution)
            return await self._archive.view(execution, nodes=nodes)
        if live.id in self._lives:
            self._check_running()
        view = execution_view(live.record, live.machine, nodes, live.progress, self._admission.told(live.id))
        if live.unsaved:  # nobody is told what a crash takes back
            self._linger()
            if not await live.durable():
                return await self._archive.view(execution, nodes=nodes)
        return view

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._archive.executions(after=after, limit=limit)

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        live = self._lives.get(execution)
        return live.closure if live else await self._archive.closure(execution)

    async def abort(self, execution: str, reason: str) -> None:
        """See `Engine.abort`."""
        live = self._lives.get(execution)
        if live is not None:
            hit("abort.asked")
            self._post(live, AbortAsked(self._clock.now(), reason))
        await self.wait(execution)

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """See `Engine.signal`."""
        event = Signalled(self._clock.now(), name, value, id)
        live = self._lives.get(execution)
        if live is None:
            await self._over(execution)
            refused = (await self._archive.live(execution)).refusal(event)
        else:
            hit("signal.received")
            self._check_running()  # else nobody would answer
            done = live.expect(id)
            self._post(live, event)
            refused = await asyncio.shield(done)
            hit("signal.acknowledge")
        if refused:
            raise ConflictError(f"Execution {execution!r}: {refused}")

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`."""
        live = self._lives.get(execution)
        if live is None:
            for event in await self._archive.events(execution, cursor):
                yield event
            await self._over(execution)
            return
        self._check_running()  # else nobody would tell the end
        following = self._feed.follow(live, cursor, self._archive.events, self._check_ended, self._check_running)
        async with contextlib.aclosing(following):  # a reader who leaves is forgotten at once
            async for event in following:
                yield event

    def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`."""
        return self._changes.follow(after)

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        return await self._archive.explain_cache(execution, node, self._lives.get(execution))

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`."""
        live = self._lives.get(execution) or await self._archive.live(execution)
        given = AtExecutors(partial(running_beside, self._lives), self._told)
        return explain_waiting(live, node, self._admission.told, given)

    def _told(self, attempt: str) -> str:
        """Where an attempt is that was given to its executor and has not begun."""
        sent = self._lives[attempt.partition("/")[0]].sent.get(attempt)
        return "" if sent is None else self._dispatchers[sent[3]].told(attempt)

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """See `Engine.evict_cache`."""
        return await evict(self._memo.catalog, eviction)

    async def quotas_waited_for(self) -> dict[str, int]:
        """See `Adjusting.quotas_waited_for`."""
        return self._admission.waited_for()

    async def change_quotas(self, executions: Mapping[str, int | None]) -> None:
        """See `Adjusting.change_quotas`."""
        self._admission.change(executions)

    async def vouch(self, attempt: str) -> Vouched | None:
        """See `Vouching.vouch`."""
        self._check_running()
        live = self._lives.get(attempt.partition("/")[0])
        return None if live is None else live.vouch(attempt)

    # -- the loop

    def _post(self, live: Live, event: Event) -> None:
        if self._stopped is not None:
            return  # nobody takes it out any more; whatever it tells is told again at the next start
        self._inbox.append((live, event))
        self._wake.set()

    def _timer_due(self, execution: str, timer: SetTimer) -> None:
        if (live := self._lives.get(execution)) is not None:
            self._post(live, TimerFired(self._clock.now(), timer.kind, timer.node, timer.attempt))

    async def _run(self) -> None:
        try:
            while True:
                self._wake.clear()
                if self._inbox:
                    self._drain()
                elif not self._linger_over:
                    await self._wake.wait()
                    continue
                if self._holding or self._launching or self._linger_over:
                    await self._commit()
                elif self._touched and not self._memo.looking and self._lingering is None:
                    self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._linger)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the state in memory may no longer be that of the journal
            self._stop(error if isinstance(error, WingbeatError) else _broken(error))

    def _linger(self) -> None:
        self._lingering, self._linger_over = None, True
        self._wake.set()

    def _drain(self) -> None:
        """Step every event that is there, up to a bound."""
        inbox = self._inbox
        for _ in range(min(len(inbox), DRAIN_MAX)):
            live, event = inbox.popleft()
            if live.dropped:
                continue
            if type(event) is Launched:
                hit("launch.before-step")
            try:
                effects = live.machine.step(event)
            except Exception as error:  # noqa: BLE001  # one that breaks the machine must not keep the others from going on
                self._quarantine(live, error)
                continue
            facts = live.machine.take_facts()
            if facts:
                live.facts += facts
                self._touched[live.id] = live
            if type(event) is Signalled:
                self._acknowledge(live, event)
            for effect in effects:
                if effect.asks and live.launched.done():  # before, there may be no room for it
                    self._perform(live, effect)
                else:
                    live.held.append(effect)
                    self._holding[live.id] = live

    def _acknowledge(self, live: Live, event: Signalled) -> None:
        """Tell who signalled, when it is durable; if it was refused, when that is durable for which it was."""
        waiting = live.signalled.pop(event.id, [])
        live.acknowledged |= dict.fromkeys(waiting, live.refusal(event))
        if waiting and live.facts:
            self._holding[live.id] = live  # so that it is committed now
        elif waiting:
            live.acknowledge()

    async def _commit(self) -> None:
        """Make everything that was said durable, then do what follows."""
        touched, holding = self._touched, self._holding
        launching = [live for live in self._launching if live.id in touched]  # the others' first step is still to come
        self._launching = [live for live in self._launching if live.id not in touched]
        self._touched, self._holding = {}, {}
        self._linger_over = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        batch, facts = batch_of(self._archive, touched, launching)
        hit("commit.before-append")
        await self._append(batch, launching)
        hit("commit.after-append")
        if batch.launches or batch.phases:
            self._changes.tell()
        for live_id, said in facts.items():
            live = touched[live_id]
            if live.dropped:
                continue
            if self._feed.wanted(live):
                self._feed.publish(live, published(live.id, live.machine.graph, said, live.cursor))
            live.cursor += len(said)
            self._pools.said(live, said)
            live.committing = False
            live.acknowledge()
        for live in launching:
            if not live.launched.done():
                live.launched.set_result(None)
        hit("perform.before-effects")
        for live in holding.values():
            effects, live.held = live.held, []
            for effect in effects:
                self._perform(live, effect)
        hit("perform.after-effects")
        for live in touched.values():
            if live.snapshot_due and self._lives.get(live.id) is live:
                await self._snapshot(live)

    async def _append(self, batch: Batch, launching: list[Live]) -> None:
        """A full disk wrote nothing: launches are refused, and the rest is tried again until there is room. Anything else stops
        the engine."""
        while batch.rows:
            try:
                await self._journal.append(batch, self._fence)
                self._archive.saved(batch.closures)
                break
            except StorageFull as error:
                if refused := [*launching, *self._launching]:
                    drop_launches(batch)
                    launching.clear()
                    for live in refused:
                        self._drop(live, error)
                        self._admission.ended(live.id)
                else:
                    self._full = error
                    await asyncio.sleep(FULL_AGAIN_S)
        self._full = None

    async def _snapshot(self, live: Live) -> None:
        live.facts_since_snapshot = 0
        hit("snapshot.before")
        await self._archive.snapshot(live, self._fence)
        hit("snapshot.after")

    # -- effects

    def _perform(self, live: Live, effect: Effect) -> None:
        match effect:
            case Submit():
                request = self._requests.of(live, effect.node, effect.attempt)
                if request is not None:
                    self._pools.submit(request)
            case Lookup():
                self._memo.lookup(live, effect.node)
            case SetTimer():
                self._timers.add(live.id, effect)
            case Publish():
                self._memo.publish(live, effect.node)
            case Release():
                self._memo.release(live, effect.node)
            case Load():
                self._loading.load(live, effect.node)
            case LaunchChild():
                self._children.launch(live, effect.node)
            case CancelChild():
                self._children.cancel(live, effect.node, effect.reason, again=effect.again)
            case Cancel():
                name = attempt_id(live.id, live.node_id(effect.node), effect.attempt)
                self._pools.withdraw(name)
                task = live.machine.settled(effect.node)
                self._dispatchers[self._routes.executor(task, live.record.labels)].cancel(name, effect.reason)
            case Finish():
                self._pools.forget(live.id)
                self._memo.forget(live)
                self._admission.ended(live.id)
                hit("finish.before")
                self._ended[live.id] = self._lives.pop(live.id, live)
                asyncio.get_running_loop().call_later(ENDED_S, self._ended.pop, live.id, None)
                live.ended.set()
                self._feed.end(live)

    def _submit(self, request: AttemptRequest) -> None:
        live = self._lives.get(request.id.partition("/")[0])
        if live is not None and request.id in live.sent:  # else it has ended while it waited for a pool
            self._dispatchers[live.sent[request.id][3]].submit(request)

    def _slots_free(self, request: AttemptRequest) -> None:
        live = self._lives.get(request.id.partition("/")[0])
        if live is not None and request.id in live.sent:
            node, number, _, _ = live.sent[request.id]
            self._post(live, SlotsFree(self._clock.now(), node, number))

    # -- starting and stopping

    def _stop(self, error: WingbeatError) -> None:
        if self._stopped is not None:
            return
        self._stopped = error
        self._changes.tell()
        self._timers.close()
        self._children.stop()  # whoever has taken over goes on with all this
        self._memo.stop()
        self._recovery.stop()
        for dispatcher in self._dispatchers.values():
            dispatcher.stop()
        for live in (*self._lives.values(), *(live for live, _ in self._inbox)):
            self._let_go(live, error)
        self._inbox.clear()
        if self._loop is not None and self._loop is not asyncio.current_task():
            self._loop.cancel()

    def _let_go(self, live: Live, error: WingbeatError) -> None:
        live.let_go(error)
        self._feed.end(live)

    def _quarantine(self, live: Live, error: Exception) -> None:
        """Let go of an execution that breaks the machine; what it said since the last commit is forgotten."""
        if live.dropped or self._lives.get(live.id) is not live:
            return  # it has ended, or is let go of already
        self.quarantined[live.id] = f"{type(error).__name__}: {error}"
        if live.machine.state.lined is not None:  # else it keeps its slot
            self._admission.ended(live.id)
        self._drop(live, _broken(error))

    def _drop(self, live: Live, error: WingbeatError) -> None:
        for held in (self._lives, self._touched, self._holding):
            held.pop(live.id, None)
        self._launching = [other for other in self._launching if other is not live]
        self._memo.forget(live)
        self._let_go(live, error)

    async def _over(self, execution: str) -> ExecutionPhase:
        """The phase of an execution that has ended."""
        self._recovery.check(execution)
        return await self._archive.over(execution)

    def _check_ended(self, live: Live) -> None:
        """Raise unless the end of an execution that was waited for is in the journal."""
        self._recovery.check(live.id)
        if (refused := live.launched.exception()) is not None:
            raise refused
        if live.id in self._lives:
            raise self._stopped or EngineStopped("The engine stopped.")

    def _check_running(self) -> None:
        if self._stopped is not None:
            raise self._stopped


def _broken(error: Exception) -> WingbeatError:
    stopped = EngineStopped(
        f"The engine failed: {type(error).__name__}: {error}", hint="What is journaled goes on at the next start."
    )
    stopped.__cause__ = error
    return stopped
