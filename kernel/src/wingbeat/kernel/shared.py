"""The engine of a home, whoever holds it: this process, or another through its socket; and this one after that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from wingbeat.base.errors import ConfigurationError, EngineStopped
from wingbeat.contracts.attemptfiles import AttemptFile
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import (
    Change,
    Engine,
    ExecutionView,
    LaunchReply,
    LaunchRequest,
    RecoveryPlan,
    Summary,
    Vouched,
)
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.observer import Published
from wingbeat.contracts.retention import Collected
from wingbeat.engine.engine import LocalEngine
from wingbeat.kernel import attemptfiles
from wingbeat.kernel.lock import HomeLock, holder_pid
from wingbeat.kernel.remote import HolderGone, RemoteEngine
from wingbeat.kernel.serve import Server
from wingbeat.kernel.watchdog import Watchdog
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

T = TypeVar("T")

TAKE_S_MAX = 30.0
AGAIN_S = 0.02


class SharedEngine:
    """A `wingbeat.contracts.engine.Engine` over one home.

    Args:
        make: Makes the engine and starts it, when this process comes to hold the home.

        collect: Lets go of what is over, or only looks, while this process holds the home.

        watchdog: Watches the loop from the opening to the end of the closing.
    """

    def __init__(
        self,
        home: Path,
        make: Callable[[], Awaitable[LocalEngine]],
        collect: Callable[[bool], Awaitable[Collected]] | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._home, self._make, self._collect, self._watchdog = home, make, collect, watchdog
        self._lock = HomeLock(home)
        self._local: LocalEngine | None = None
        self._server: Server | None = None
        self._remote: RemoteEngine | None = None
        self._changing = asyncio.Lock()
        self._closed = False

    @property
    def holds(self) -> bool:
        """Whether this process holds the home."""
        return self._local is not None

    async def open(self) -> None:
        """Take the home, or connect to whoever holds it.

        Raises:
            ConfigurationError: Somebody holds it and does not answer.
        """
        if self._watchdog is not None:
            self._watchdog.start()
        end = asyncio.get_running_loop().time() + TAKE_S_MAX
        while not self._closed:
            if self._lock.try_take():
                hit("home.taken")
                try:
                    self._local = await self._make()
                    hit("home.opened")
                    self._server = Server(self._local, self._home)
                    await self._server.start()
                except BaseException:
                    await self._let_go()
                    raise
                return
            try:
                self._remote = await RemoteEngine.connect(self._home)
                return
            except TimeoutError:
                raise self._unanswered() from None
            except (OSError, HolderGone):
                if asyncio.get_running_loop().time() > end:
                    raise self._unanswered() from None
            await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """Let go of the home, in order. What runs goes on and is adopted by the next holder."""
        self._closed = True
        try:
            async with self._changing:
                if self._remote is not None:
                    await self._remote.close()
                await self._let_go()
        finally:
            if self._watchdog is not None:
                self._watchdog.stop()

    async def _let_go(self) -> None:
        local, server = self._local, self._server
        self._local = self._server = None
        try:
            if server is not None:
                await server.close()
        finally:
            if local is not None:
                await local.close()
            self._lock.give_back()

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """See `Engine.launch`."""
        return await self._through(lambda engine: engine.launch(request))

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        return await self._through(lambda engine: engine.recovery_plan(request))

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`."""
        return await self._through(lambda engine: engine.wait(execution))

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`."""
        return await self._through(lambda engine: engine.describe(execution, nodes=nodes))

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._through(lambda engine: engine.executions(after=after, limit=limit))

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        return await self._through(lambda engine: engine.closure(execution))

    async def abort(self, execution: str, reason: str) -> None:
        """See `Engine.abort`."""
        asked = False

        async def abort(engine: Engine) -> None:
            nonlocal asked
            if asked and (await engine.describe(execution, nodes=False)).phase is ExecutionPhase.ABORTING:
                await engine.wait(execution)  # who held the home before had taken it; once more would stop the handler
                return
            asked = True
            await engine.abort(execution, reason)

        await self._through(abort)

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """See `Engine.signal`."""
        await self._through(lambda engine: engine.signal(execution, name, value, id))

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`."""
        return await self._through(lambda engine: engine.explain_waiting(execution, node))

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        return await self._through(lambda engine: engine.explain_cache(execution, node))

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """See `Engine.evict_cache`."""
        return await self._through(lambda engine: engine.evict_cache(eviction))

    async def quotas_waited_for(self) -> dict[str, int]:
        """See `Adjusting.quotas_waited_for`."""
        return await self._through(lambda engine: engine.quotas_waited_for())

    async def change_quotas(self, executions: Mapping[str, int | None]) -> None:
        """See `Adjusting.change_quotas`."""
        await self._through(lambda engine: engine.change_quotas(executions))

    async def vouch(self, attempt: str) -> Vouched | None:
        """See `Vouching.vouch`."""
        return await self._through(lambda engine: engine.vouch(attempt))

    async def collect(self, *, dry: bool = False) -> Collected:
        """See `Collecting.collect`: the process that holds the home can."""
        if self._local is None or self._collect is None:
            raise ConfigurationError(
                f"Another process holds the home {self._home}, and collects what is over.",
                hint=f"Its process id is {holder_pid(self._home)}: end it, or collect there: Kernel.collect().",
            )
        return await self._collect(dry)

    async def attempt_files(self, execution: str) -> list[AttemptFile]:
        """See `AttemptFiles.attempt_files`."""
        await self.describe(execution, nodes=False)  # which says that there is no such execution
        return await asyncio.to_thread(attemptfiles.listed, self._home / "attempts", execution)

    def read_attempt_file(self, execution: str, file: AttemptFile, offset: int = 0) -> AsyncIterator[bytes]:
        """See `AttemptFiles.read_attempt_file`."""
        return attemptfiles.read(self._home / "attempts", execution, file, offset)

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`: goes on behind the last event when the holder ends."""
        while True:
            engine = self._engine
            try:
                async for event in engine.events(execution, cursor):
                    cursor = event.cursor
                    yield event
                return
            except HolderGone:
                await self._again(engine)

    async def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`: goes on behind the last number when the holder ends."""
        while True:
            engine = self._engine
            try:
                async for found in engine.changes(after):
                    after = found[-1].number if found else after
                    yield found
            except HolderGone:
                await self._again(engine)

    def _unanswered(self) -> ConfigurationError:
        return ConfigurationError(
            f"Another process holds the home {self._home} and does not answer.",
            hint=f"Its process id is {holder_pid(self._home)}. It may be stopped (Ctrl-Z) or hang: let it go on or end it, "
            "or use another WINGBEAT_HOME.",
        )

    @property
    def _engine(self) -> LocalEngine | RemoteEngine:
        engine = self._local or self._remote
        if engine is None or self._closed:
            raise EngineStopped("The kernel is not open; use 'async with Kernel() as kernel'.")
        return engine

    async def _through(self, call: Callable[[LocalEngine | RemoteEngine], Awaitable[T]]) -> T:
        """Call the engine; every call may be repeated, so it is, when the process that held the home has ended."""
        while True:
            engine = self._engine
            try:
                return await call(engine)
            except HolderGone:
                await self._again(engine)

    async def _again(self, gone: Engine) -> None:
        if self._closed:
            raise EngineStopped("The kernel was closed.")
        await asyncio.shield(asyncio.ensure_future(self._change(gone)))

    async def _change(self, gone: Engine) -> None:
        """Find the next holder, unless another call has. It is finished even if its caller is cancelled: no half engine."""
        async with self._changing:
            if self._closed or self._local is not None:
                return
            if self._remote is gone and isinstance(gone, RemoteEngine):
                hit("home.holder-gone")
                await gone.close()
                await self.open()
