"""The engine: what it is asked, it looks up in the file or writes there; who has the lock runs it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace

from acme_sequential import state as states
from acme_sequential.plugin import SequentialSettings
from acme_sequential.refusals import check
from acme_sequential.runner import Runner
from acme_sequential.state import State
from acme_sequential.store import Store
from wingbeat.base.errors import ConfigurationError, ConflictError, EngineStopped, InputError, NotFound
from wingbeat.base.ids import check_execution_id, short_id
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import Change, ExecutionView, LaunchReply, LaunchRequest, NodeView, RecoveryPlan, Summary
from wingbeat.contracts.home import Home
from wingbeat.contracts.observer import Published
from wingbeat.plans import flatten
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

LOOK_S = 0.05
"""How often it is looked whether another process has written."""
P = ParamSpec("P")
T = TypeVar("T")


class SequentialEngine:
    """A `wingbeat.contracts.engine.RemoteEngine` over a file of the home."""

    def __init__(self, home: Home, settings: SequentialSettings) -> None:
        self._home, self._settings = home, settings
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Open the file; run what is in it, unless another process does."""
        self._thread = ThreadPoolExecutor(1, "sequential")
        path = str(Path(self._home.path, "sequential.sqlite"))
        opening = asyncio.get_running_loop().run_in_executor(self._thread, Store, path)
        try:
            self._store = await opening
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        runner = Runner(self._home, self._settings, self._do, lambda: self._changed)
        self._tasks = [asyncio.create_task(work, name="sequential") for work in (runner.run(), self._look())]

    async def close(self) -> None:
        """Let go. Attempts that run go on; who opens the file next finds them."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        store, self._store = self._store, None
        self._tell()
        if store is not None and self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, store.close)
            self._thread.shutdown(wait=False)

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """See `Engine.launch`. Raises `ConfigurationError` for what this engine cannot do. `resume` finds nothing: it is a new
        execution, and the one before goes on too."""
        plan = flatten(request.closure)
        check(request, plan)
        id = check_execution_id(request.name or short_id(os.urandom(16)))
        taken: dict[int, NodeView] = {}
        if request.recover:
            earlier = await self._do(Store.state, request.recover)
            if not earlier.view.phase.terminal:
                raise ConflictError(f"Execution {request.recover!r} is under way: there is nothing to recover yet.")
            _, taken = states.reuses(request, plan, earlier)
        state = states.launched(request, id, plan, time.time(), taken, request.recover)
        created = await self._do(Store.launch, state, request.closure)
        return LaunchReply(id, created, len(taken) if created else 0)

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        earlier = await self._do(Store.state, request.recover)
        told, _ = states.reuses(request, flatten(request.closure), earlier)
        return RecoveryPlan(request.recover, earlier.view.workflow, told)

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`."""
        while True:
            changed = self._changed
            phase = (await self._do(Store.state, execution)).view.phase
            if phase.terminal:
                return phase
            await changed.wait()

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`."""
        view = (await self._do(Store.state, execution)).view
        return view if nodes else replace(view, nodes=[])

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._do(Store.page, after, limit)

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        return await self._do(Store.closure, execution)

    async def abort(self, execution: str, reason: str) -> None:
        """See `Engine.abort`."""

        def stopped(state: State) -> State:
            if state.view.phase.terminal or state.abort is not None:
                return state
            view = replace(state.view, phase=ExecutionPhase.ABORTING, reason=reason)
            return replace(state, view=view, abort=reason)

        await self._do(Store.update, execution, stopped, time.time())
        await self.wait(execution)

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """See `Engine.signal`."""
        plan = flatten(await self._do(Store.closure, execution))
        answer: Callable[[State], State] = lambda state: states.answered(state, plan, name, value, id)  # noqa: E731
        await self._do(Store.update, execution, answer, time.time())

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`."""
        while True:
            changed = self._changed
            events, phase = await self._do(Store.events, execution, cursor)
            for event in events:
                cursor = event.cursor
                yield event
            if not events:
                if phase.terminal:
                    return
                await changed.wait()

    async def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`."""
        while True:
            changed = self._changed
            if found := await self._do(Store.changes, after):
                after = found[-1].number
                yield found
            else:
                yield []
                await changed.wait()

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`."""
        return states.waits(await self._do(Store.state, execution), node)

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        view = (await self._do(Store.state, execution)).view
        if all(each.id != node for each in view.nodes):
            raise NotFound(f"Execution {execution!r} has no node {node!r}.")
        return f"{node} was computed: the engine 'sequential' has no catalog."

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """Raises as `Engine.evict_cache` does where there is no catalog."""
        if eviction == Eviction():
            raise InputError("Nothing says which entries are to be removed.")
        raise ConfigurationError("The engine 'sequential' has no catalog.", hint="There is nothing to remove.")

    async def _do(self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the file, in its thread, to its end also if the caller is cancelled. What writes is told."""
        store = self._store
        if store is None or self._thread is None:
            raise EngineStopped("The engine is not open.")
        loop = asyncio.get_running_loop()

        def worked() -> T:
            try:
                return work(store, *args, **kwargs)
            finally:
                if work in (Store.launch, Store.update):
                    loop.call_soon_threadsafe(self._tell)

        return await loop.run_in_executor(self._thread, worked)

    async def _look(self) -> None:
        """Tell those who wait when another process has written."""
        seen = -1
        while True:
            if (version := await self._do(Store.version)) != seen:
                seen = version
                self._tell()
            await asyncio.sleep(LOOK_S)

    def _tell(self) -> None:
        """Have everybody who waits look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
