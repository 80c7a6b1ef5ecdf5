"""Child executions: launched for a node under a name made of both, so that a launch that is repeated finds the first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from wingbeat.base.errors import EngineStopped, JournalDamaged, JournalUnknown, NotFound, SetAside, WingbeatError
from wingbeat.base.ids import child_execution_id
from wingbeat.contracts.engine import Engine, LaunchRequest
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.journal import StorageFull
from wingbeat.engine.asked import quota_of
from wingbeat.engine.background import Broke, watched
from wingbeat.engine.clock import Clock
from wingbeat.engine.identity import launch_key
from wingbeat.engine.live import Live
from wingbeat.engine.rules import PLACE
from wingbeat.machine.event import ChildEnded, Event
from wingbeat.machine.state import State
from wingbeat.spec.codec import borrowing
from wingbeat.spec.entities import Closure, Entity, LaunchPlanSpec, WorkflowSpec
from wingbeat.spec.labels import is_ours
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ABORTED, ErrorInfo
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.plan import ChildKind, MapKind

T = TypeVar("T")

AGAIN_S = 1.0
PARENT = "wingbeat/parent"
"""Label of a child execution: ``execution/node`` for which it runs."""


class Children:
    """Launches, follows and aborts child executions of `engine`, and posts their ends."""

    def __init__(self, engine: Engine, clock: Clock, post: Callable[[Live, Event], None], broke: Broke) -> None:
        self._engine, self._clock, self._post, self._broke = engine, clock, post, broke
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._aborts: set[asyncio.Task[None]] = set()

    def launch(self, live: Live, address: int) -> None:
        """Launch the child of a node or item, and wait for its end."""
        key = (live.id, address)
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(self._run(live, address), name=f"child of {live.id}")
            watched(task, live, self._broke).add_done_callback(lambda _: self._tasks.pop(key, None))

    def cancel(self, live: Live, address: int, reason: str, *, again: bool = False) -> None:
        """Have the child of a node or item end; `again`: also what cleans up in it."""
        abort = self._abort_again if again else self._abort
        task = asyncio.create_task(abort(live, address, reason))
        self._aborts.add(task)
        watched(task, live, self._broke).add_done_callback(self._aborts.discard)

    def stop(self) -> None:
        """Stop following; children are executions of their own and go on."""
        for task in (*self._tasks.values(), *self._aborts):
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is under way."""
        self.stop()
        await asyncio.gather(*self._tasks.values(), *self._aborts, return_exceptions=True)

    async def _run(self, live: Live, address: int) -> None:
        try:
            event = await _again(lambda: self._ended(live, address))
        except WingbeatError as error:
            failed = ErrorInfo(type(error).__name__, f"The child execution cannot be run: {error}", retryable=False)
            event = ChildEnded(self._clock.now(), address, {}, error=failed)
        self._post(live, event)

    async def _ended(self, live: Live, address: int) -> ChildEnded:
        name, plan, inputs = child_name(live, address), launch_plan(live, address), live.machine.values(address)
        closure = closure_of(live, address, plan)
        given: Literals = {**inputs, **{n: Inline(value) for n, value in plan.fixed.items()}}
        node = live.machine.graph.id(address)
        place = {name: value for name, value in live.record.labels.items() if name in PLACE}
        own = {name: value for name, value in plan.labels.items() if not is_ours(name)}
        labels = {**own, **place, PARENT: f"{live.id}/{node}"}  # a child is where its parent is, whatever its plan says
        hit("child.before-launch")
        key, quota = launch_key(closure, given), quota_of(live.record.labels)
        recover = await self._earlier(live.machine.state, node)
        await self._engine.launch(
            LaunchRequest(
                closure, given, name, key, recover=recover, labels=labels, concurrency=plan.concurrency, pool=plan.pool,
                priority=plan.priority, failure_policy=plan.failure_policy, quota=quota,
            )
        )  # fmt: skip
        hit("child.launched")
        return await self._followed(name, address)

    async def _earlier(self, state: State, node: str) -> str:
        """What the node had launched in the execution that is recovered: the child keeps what succeeded there. Empty if nothing."""
        before = _before(state, node)
        if not state.source or not before:
            return ""
        name = child_execution_id(state.source, before)
        try:
            view = await self._engine.describe(name, nodes=False)
        except NotFound:
            return ""
        return name if view.phase.terminal else ""

    async def _followed(self, name: str, address: int) -> ChildEnded:
        phase = await self._engine.wait(name)
        view = await self._engine.describe(name, nodes=False)
        hit("child.ended")
        at = self._clock.now()
        if phase is ExecutionPhase.SUCCEEDED:
            return ChildEnded(at, address, view.outputs or {}, source=name)
        error = view.error or ErrorInfo(ABORTED, view.reason or "The child execution was aborted.", retryable=False)
        return ChildEnded(at, address, {}, name, error, aborted=phase is ExecutionPhase.ABORTED)

    async def _abort(self, live: Live, address: int, reason: str) -> None:
        running = self._tasks.get((live.id, address))
        name = child_name(live, address)
        hit("child.cancel")
        try:
            await _again(lambda: self._stopped(name, reason))
        except NotFound:
            if running is not None:  # its launch is on the way
                running.cancel()
            self._post(live, ChildEnded(self._clock.now(), address, {}, name, aborted=True))
        except EngineStopped:
            return  # whoever runs it hears of it from the journal
        else:
            if running is None:
                self._post(live, await _again(lambda: self._followed(name, address)))

    async def _stopped(self, name: str, reason: str) -> None:
        """Abort it, once: after a restart it is asked again for what is stopped already, and a second abort stops its handler."""
        view = await self._engine.describe(name, nodes=False)
        if view.phase is ExecutionPhase.ABORTING:
            await self._engine.wait(name)
        else:
            await self._engine.abort(name, reason)

    async def _abort_again(self, live: Live, address: int, reason: str) -> None:
        with contextlib.suppress(NotFound, EngineStopped):  # who stopped it first tells of its end
            await _again(lambda: self._engine.abort(child_name(live, address), reason))


async def _again(what: Callable[[], Awaitable[T]]) -> T:
    """Do it until the journal lets it be done: a full disk has room again, and a failure to read passes or stops the engine."""
    while True:
        try:
            return await what()
        except JournalDamaged:
            raise
        except (StorageFull, JournalUnknown, SetAside):
            await asyncio.sleep(AGAIN_S)


def child_name(live: Live, address: int) -> str:
    """The id of the child execution of a node or item."""
    return child_execution_id(live.id, live.machine.graph.id(address))


def _before(state: State, node: str) -> str:
    """What the node, or the one that it is inside of, is called in the execution that is recovered; empty if it is not there."""
    root = node
    while root not in state.moved:
        if not root:
            return node
        root = root.rpartition(".")[0]
    return state.moved[root] and state.moved[root] + node[len(root) :]


def launch_plan(live: Live, address: int) -> LaunchPlanSpec:
    """The launch plan that a node calls."""
    kind = live.machine.graph.kind(address)
    child = kind.child if isinstance(kind, MapKind) else kind
    assert isinstance(child, ChildKind)
    return child.launchplan


def closure_of(live: Live, address: int, plan: LaunchPlanSpec) -> Closure:
    """What a launch plan launches that a node or item calls, out of the closure of that."""
    whole = next(c for c in live.closures() if plan.workflow in c.entities)
    found: dict[str, Entity] = {}
    todo = [plan.workflow]
    while todo:
        digest = todo.pop()
        if digest not in found:
            found[digest] = whole.entities[digest]
            todo += _calls(found[digest])
    borrowed = {digest: code for digest, code in whole.borrowed.items() if digest in found}
    return live.with_code(borrowing(Closure(plan.workflow, found), borrowed), address)


def _calls(entity: Any) -> tuple[str, ...]:
    return entity.calls if isinstance(entity, WorkflowSpec | LaunchPlanSpec) else ()
