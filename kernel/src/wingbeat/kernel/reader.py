"""An engine for reading only: the journal, opened read-only beside whoever writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError, NotFound
from wingbeat.base.ids import attempt_folder
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import (
    AttemptView,
    Change,
    ExecutionView,
    LaunchReply,
    LaunchRequest,
    RecoveryPlan,
    Summary,
)
from wingbeat.contracts.journal import Journal
from wingbeat.contracts.observer import Published
from wingbeat.engine.archive import Archive
from wingbeat.engine.bounded import BoundedJournal
from wingbeat.engine.changes import PAGE
from wingbeat.host.home import HomeFolder
from wingbeat.host.registry import Registry
from wingbeat.kernel.lock import holder_pid, is_held
from wingbeat.kernel.remote import ANSWER_S_MAX, HolderGone, RemoteEngine
from wingbeat.kernel.settings import KernelSettings
from wingbeat.runtime import report
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

LOOK_S = 0.1
"""Time between two looks for the end of an execution: nobody tells a reader."""


async def open_reader(home: HomeFolder, registry: Registry) -> Reader:
    """A reader of a home. Raises NotFound if there is none, or its journal has nothing there."""
    hint = "Run something first, or set WINGBEAT_HOME."
    if not home.folder.is_dir():
        raise NotFound(f"There is no home at {home.path}.", hint=hint)
    name = home.settings("kernel", KernelSettings).journal
    journal = BoundedJournal(registry.make("journal", name, home), name)
    try:
        await journal.open_to_read()
    except NotFound:
        told = f"There is no home at {home.path}: the journal {name!r} has nothing there."
        raise NotFound(told, hint=f"{hint} Another journal is asked by kernel.journal.") from None
    return Reader(journal, home)


class Reader:
    """The reading half of `wingbeat.contracts.engine.Engine`."""

    def __init__(self, journal: Journal, home: HomeFolder) -> None:
        self._journal, self._archive, self._home = journal, Archive(journal), home
        self._attempts = f"{home.path}/attempts"

    async def close(self) -> None:
        """Close the journal."""
        await self._journal.close()

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`."""
        view = await self._archive.view(execution, nodes=nodes)
        for node in view.nodes:
            for i, attempt in enumerate(node.attempts):
                if attempt.ended_at is None:
                    node.attempts[i] = self._reported(execution, node.id, attempt)
        return view

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._archive.executions(after=after, limit=limit)

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        return await self._archive.closure(execution)

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`; ends with what is there now."""
        for event in await self._archive.events(execution, cursor):
            yield event

    async def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`; ends with what is there now."""
        while found := await self._archive.changes(after, PAGE):
            after = found[-1].number
            yield found

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        return await self._archive.explain_cache(execution, node)

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        from wingbeat.engine.clock import SystemClock
        from wingbeat.engine.foreseen import foreseen
        from wingbeat.engine.loading import Loading
        from wingbeat.engine.lost import lost

        old = await self._archive.live(request.recover)
        storage = self._home.storage()
        await Loading(storage, SystemClock(), lambda *_: None, lambda *_: None).lists(old, ended=True)
        return foreseen(request, old.machine, old.closure, await lost(old.machine, storage))

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`: who holds a pool is known to the process that runs executions, so it is asked."""
        if not is_held(self._home.folder):
            return await self._written(execution, node, "no kernel runs: nothing goes on")
        try:
            async with asyncio.timeout(ANSWER_S_MAX), await RemoteEngine.connect(self._home.folder) as holder:
                return await holder.explain_waiting(execution, node)
        except (TimeoutError, OSError, HolderGone):
            silent = f"the process {holder_pid(self._home.folder)}, which runs it, does not answer: who holds what is not known"
            return await self._written(execution, node, silent)

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """Refused."""
        self._refuse()

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`; looks into the journal now and then."""
        while True:
            phase = ExecutionPhase((await self._archive.record(execution)).phase)
            if phase.terminal:
                return phase
            await asyncio.sleep(LOOK_S)

    async def abort(self, execution: str, reason: str) -> None:
        """Refused."""
        self._refuse()

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """Refused."""
        self._refuse()

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """Refused."""
        self._refuse()

    async def _written(self, execution: str, node: str, note: str) -> str:
        """For what a node waits, as far as the journal knows."""
        from wingbeat.engine.waiting import explain_waiting

        live = await self._archive.live(execution)
        live.machine.outstanding()
        lined, told = live.machine.state.lined, None
        if lined is not None:
            holders = ", ".join(await self._archive.holders(lined.limit.name)) or "nobody"
            waits = f"waiting for its turn: limit {lined.limit.name!r} is {lined.limit.limit}, and is held by {holders}"
            told = lambda _: waits  # noqa: E731
        text = explain_waiting(live, node, told)
        return text if live.machine.state.phase.terminal else f"{text}\n({note})"

    def _reported(self, execution: str, node: str, attempt: AttemptView) -> AttemptView:
        """An attempt that runs, with what it says of itself: nobody tells a reader."""
        directory = f"{self._attempts}/{attempt_folder(execution, node, attempt.number)}"
        found = report.read(directory)
        return attempt if found is None else replace(attempt, progress=report.progress_of(found, directory))

    def _refuse(self) -> NoReturn:
        raise ConfigurationError("This kernel is read-only.")
