"""The caller's side of the home's socket: the engine of the process that holds the home."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from wingbeat.base.errors import EngineStopped, WingbeatError
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import Change, ExecutionView, LaunchReply, LaunchRequest, RecoveryPlan, Summary, Vouched
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.observer import Published
from wingbeat.kernel.lock import holder_pid
from wingbeat.kernel.wire import CANCEL, ERRORS, RESULTS, Call, Reply, frame, read_frame, socket_path
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

ANSWER_S_MAX = 10.0
"""A holder that takes longer to say hello is stopped, or its loop is blocked."""
WATCH_S = 2.0

_log = logging.getLogger("wingbeat.home")


class HolderGone(WingbeatError):
    """The process that holds the home has ended, or let go of it."""


class RemoteEngine:
    """A `wingbeat.contracts.engine.Engine` in another process. Every call raises HolderGone when that process ends."""

    def __init__(self, home: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._home, self._writer = home, writer
        self._count = 0
        self._waiting: dict[int, asyncio.Queue[Reply | None]] = {}
        self._gone = False
        self._tasks = [
            asyncio.create_task(self._read(reader), name="home socket"),
            asyncio.create_task(self._watch(), name="home watch"),
        ]

    @classmethod
    async def connect(cls, home: Path) -> RemoteEngine:
        """Connect to the holder of `home`.

        Raises:
            TimeoutError: It has not said hello in time: the system connects to a process that is stopped, too.

            OSError, HolderGone: Nobody is there.
        """
        async with asyncio.timeout(ANSWER_S_MAX):
            with socket_path(home) as path:
                engine = cls(home, *await asyncio.open_unix_connection(path))
            try:
                await engine.hello()
            except BaseException:
                await engine.close()
                raise
            return engine

    async def __aenter__(self) -> RemoteEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()

    async def hello(self) -> None:
        """Return when the holder answers, whatever it says. Raises HolderGone."""
        try:
            await self._call(Call(0, "hello"))
        except HolderGone:
            raise
        except WingbeatError:
            return

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """See `Engine.launch`."""
        return await self._call(Call(0, "launch", launch=request))  # type: ignore[no-any-return]

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        return await self._call(Call(0, "recovery_plan", launch=request))  # type: ignore[no-any-return]

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`."""
        return await self._call(Call(0, "wait", execution))  # type: ignore[no-any-return]

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`."""
        return await self._call(Call(0, "describe", execution, count=int(nodes)))  # type: ignore[no-any-return]

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._call(Call(0, "executions", text=after, count=limit))  # type: ignore[no-any-return]

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        return await self._call(Call(0, "closure", execution))  # type: ignore[no-any-return]

    async def abort(self, execution: str, reason: str) -> None:
        """See `Engine.abort`."""
        await self._call(Call(0, "abort", execution, text=reason))

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """See `Engine.signal`."""
        await self._call(Call(0, "signal", execution, text=name, value=value, id=id))

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`."""
        return await self._call(Call(0, "explain_waiting", execution, text=node))  # type: ignore[no-any-return]

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        return await self._call(Call(0, "explain_cache", execution, text=node))  # type: ignore[no-any-return]

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """See `Engine.evict_cache`."""
        return await self._call(Call(0, "evict_cache", evict=eviction))  # type: ignore[no-any-return]

    async def quotas_waited_for(self) -> dict[str, int]:
        """See `Adjusting.quotas_waited_for`."""
        return await self._call(Call(0, "quotas_waited_for"))  # type: ignore[no-any-return]

    async def change_quotas(self, executions: Mapping[str, int | None]) -> None:
        """See `Adjusting.change_quotas`."""
        await self._call(Call(0, "change_quotas", quotas=dict(executions)))

    async def vouch(self, attempt: str) -> Vouched | None:
        """See `Vouching.vouch`."""
        return await self._call(Call(0, "vouch", id=attempt))  # type: ignore[no-any-return]

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`."""
        async for events in self._stream(Call(0, "events", execution, count=cursor)):
            for event in events:
                yield event

    def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`."""
        return self._stream(Call(0, "changes", count=after))

    async def _stream(self, call: Call) -> AsyncIterator[Any]:
        """The parts of an answer that comes in several."""
        queue = self._send(call)
        try:
            while True:
                reply = await self._next(queue)
                if reply.last:
                    return
                yield msgspec.msgpack.decode(reply.value, type=RESULTS[call.method])
        finally:
            self._forget(call.number)

    async def _call(self, call: Call) -> Any:
        queue = self._send(call)
        try:
            reply = await self._next(queue)
        finally:
            self._forget(call.number)
        return msgspec.msgpack.decode(reply.value, type=RESULTS[call.method])

    def _send(self, call: Call) -> asyncio.Queue[Reply | None]:
        if self._gone:
            raise HolderGone("The process that held the home has ended.")
        self._count += 1
        call.number = self._count
        queue = self._waiting[call.number] = asyncio.Queue()
        self._writer.write(frame(call))
        hit("remote.called")
        return queue

    def _forget(self, number: int) -> None:
        """Have the holder stop working on a call that nobody waits for any more."""
        if self._waiting.pop(number, None) is not None and not self._gone:
            self._writer.write(frame(Call(number, CANCEL)))

    async def _next(self, queue: asyncio.Queue[Reply | None]) -> Reply:
        reply = await queue.get()
        if reply is None:
            raise HolderGone("The process that held the home has ended.")
        if reply.error == EngineStopped.__name__:
            raise HolderGone(reply.message)
        if reply.error:
            raise ERRORS.get(reply.error, WingbeatError)(reply.message, hint=reply.hint)
        return reply

    async def _watch(self) -> None:
        """Say so when calls wait for a holder that does not answer. They wait on: it may be stopped for a while only."""
        silent = False
        with contextlib.suppress(HolderGone):
            while True:
                await asyncio.sleep(WATCH_S)
                if not self._waiting:
                    continue
                try:
                    async with asyncio.timeout(ANSWER_S_MAX):
                        await self.hello()
                except TimeoutError:
                    if not silent:
                        _log.warning(
                            "The process that holds the home %s (process id %s) does not answer; waiting for it.",
                            self._home, holder_pid(self._home),
                        )  # fmt: skip
                    silent = True
                else:
                    if silent:
                        _log.warning("The process that holds the home %s answers again.", self._home)
                    silent = False

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                reply = msgspec.msgpack.decode(await read_frame(reader), type=Reply)
                hit("remote.answered")
                if (queue := self._waiting.get(reply.number)) is not None:
                    queue.put_nowait(reply)
                    if reply.last:
                        del self._waiting[reply.number]
        except (asyncio.IncompleteReadError, OSError, ValueError):
            return
        finally:
            self._gone = True
            for queue in self._waiting.values():
                queue.put_nowait(None)
