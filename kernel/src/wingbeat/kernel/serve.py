"""The holder's side of the home's socket: other processes of the same user call its engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from wingbeat.base.errors import EngineStopped, WingbeatError
from wingbeat.contracts.engine import Adjusting, Engine, Vouching
from wingbeat.contracts.failpoints import hit
from wingbeat.kernel.wire import CANCEL, RESULTS, Call, Reply, frame, read_frame, socket_path

CALLS_MAX = 1000
"""Calls of one connection that may be under way."""


class Server:
    """Answers calls to `engine` at the socket of `home`, until it is closed."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine, self._home = engine, home
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._socket: os.stat_result | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to answer. Whoever holds the home's lock may take the place of a socket that was left behind."""
        with socket_path(self._home) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._server = await asyncio.start_unix_server(self._accept, path)
            hit("serve.listening")
            os.chmod(path, 0o600)
            self._socket = os.stat(path)

    async def close(self) -> None:
        """Stop answering; callers see the connection end and look for the next holder."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            path = self._home / "kernel.sock"
            if self._socket is not None and os.path.samestat(
                os.stat(path), self._socket
            ):  # else it is that of the next holder
                os.unlink(path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:  # accepted just before: nobody ends this connection, and the engine answers no more
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        calls: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                call = msgspec.msgpack.decode(await read_frame(reader), type=Call)
                if call.method == CANCEL:
                    if (answering := calls.get(call.number)) is not None:
                        answering.cancel()
                    continue
                if len(calls) >= CALLS_MAX:
                    writer.write(
                        frame(Reply(call.number, error="Busy", message=f"more than {CALLS_MAX} calls are under way"))
                    )
                    continue
                hit("serve.called")
                answering = asyncio.create_task(self._answer(call, writer))
                calls[call.number] = answering
                answering.add_done_callback(partial(_done, calls, call.number))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError, ValueError):
            return  # the caller is gone, or is none of ours
        except asyncio.CancelledError:
            return
        finally:
            for answering in list(calls.values()):
                answering.cancel()
            self._connections.discard(task)
            writer.close()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        try:
            if call.method == "events":
                async for event in self._engine.events(call.execution, call.count):
                    writer.write(frame(Reply(call.number, _raw([event]), last=False)))
                    await writer.drain()
                value: Any = []
            elif call.method == "changes":
                async for found in self._engine.changes(call.count):
                    writer.write(frame(Reply(call.number, _raw(found), last=False)))
                    await writer.drain()
                value = []
            else:
                value = await self._call(call)
            hit("serve.answering")
            writer.write(frame(Reply(call.number, _raw(value))))
            await writer.drain()
        except EngineStopped:
            writer.close()  # the caller finds the next holder
        except ConnectionError:
            return
        except WingbeatError as error:
            writer.write(frame(Reply(call.number, error=type(error).__name__, message=error.message, hint=error.hint)))
        except Exception as error:  # noqa: BLE001  # a caller must not end the holder
            writer.write(frame(Reply(call.number, error="Internal", message=f"{type(error).__name__}: {error}")))

    async def _call(self, call: Call) -> Any:
        engine = self._engine
        match call.method:
            case "hello":
                return None
            case "launch" if call.launch is not None:
                return await engine.launch(call.launch)
            case "recovery_plan" if call.launch is not None:
                return await engine.recovery_plan(call.launch)
            case "wait":
                return await engine.wait(call.execution)
            case "describe":
                return await engine.describe(call.execution, nodes=bool(call.count))
            case "executions":
                return await engine.executions(after=call.text, limit=call.count)
            case "closure":
                return await engine.closure(call.execution)
            case "abort":
                return await engine.abort(call.execution, call.text)
            case "signal" if call.value is not None:
                return await engine.signal(call.execution, call.text, call.value, call.id)
            case "explain_waiting":
                return await engine.explain_waiting(call.execution, call.text)
            case "explain_cache":
                return await engine.explain_cache(call.execution, call.text)
            case "evict_cache" if call.evict is not None:
                return await engine.evict_cache(call.evict)
            case "quotas_waited_for" if isinstance(engine, Adjusting):
                return await engine.quotas_waited_for()
            case "change_quotas" if isinstance(engine, Adjusting) and call.quotas is not None:
                return await engine.change_quotas(call.quotas)
            case "vouch" if isinstance(engine, Vouching):
                return await engine.vouch(call.id)
        raise WingbeatError(f"There is no call {call.method!r}; known are {', '.join(RESULTS)}.")


def _done(calls: dict[int, asyncio.Task[None]], number: int, _: asyncio.Task[None]) -> None:
    del calls[number]


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))
