"""Warm parents, seen from the kernel: started, found again, talked to."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.builtin.process.sockets import ParentError, ParentKey, Sockets
from wingbeat.runtime.job import (
    Ended,
    Exit,
    Frames,
    Hello,
    Importing,
    ListRunning,
    ParentConfig,
    Run,
    Running,
    Started,
    Unknown,
    Watch,
    pack,
)

__all__ = ["Link", "ParentError", "ParentKey", "Parents"]

START_ATTEMPTS_MAX = 3

Answer = Exit | Literal["duplicate", "unknown", "lost"]


class Link(asyncio.Protocol):
    """A connection with a living parent.

    Every `run` and `watch` is answered by a future: how the process ended, or ``duplicate`` (claimed by another process),
    ``unknown`` (the parent has no such attempt, or could not start it) or ``lost`` (the connection broke; the files tell
    what happened).
    """

    def __init__(self, started: Callable[[str, int, str], None], on_lost: Callable[[Link], None]) -> None:
        self.greeted = False
        self.importing = ""
        self.lost = False
        self._started = started
        self._on_lost = on_lost
        self._frames = Frames()
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._lists: list[asyncio.Future[list[str]]] = []
        self._transport: asyncio.Transport | None = None

    def run(self, attempt: str, job: bytes, inputs: bytes) -> asyncio.Future[Answer]:
        """Start an attempt."""
        return self._ask(attempt, pack(Run(attempt, job, inputs)))

    def watch(self, attempt: str) -> asyncio.Future[Answer]:
        """Wait for the end of an attempt that the parent started for an earlier kernel."""
        return self._ask(attempt, pack(Watch(attempt)))

    async def running(self) -> list[str]:
        """The attempts that the parent has."""
        if self.lost or self._transport is None:
            return []
        future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._lists.append(future)
        self._transport.write(pack(ListRunning()))
        return await future

    def close(self) -> None:
        """Hang up; the parent goes on."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As the protocol class says."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """As the protocol class says."""
        for message in self._frames.feed(data):
            match message:
                case Started(attempt, pid, how):
                    self._started(attempt, pid, how)
                case Ended(attempt, end):
                    self._answer(attempt, end or "duplicate")
                case Unknown(attempt):
                    self._answer(attempt, "unknown")
                case Importing(module):
                    self.importing = module
                case Running(ids):
                    self._lists.pop(0).set_result(ids)
                case Hello():
                    self.greeted = True

    def connection_lost(self, _error: Exception | None) -> None:
        """As the protocol class says."""
        self.lost = True
        self._on_lost(self)
        for attempt in list(self._answers):
            self._answer(attempt, "lost")
        for future in self._lists:
            if not future.done():
                future.set_result([])

    def _ask(self, attempt: str, frame: bytes) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self.lost or self._transport is None:
            future.set_result("lost")
            return future
        self._answers[attempt] = future
        self._transport.write(frame)
        return future

    def _answer(self, attempt: str, answer: Answer) -> None:
        future = self._answers.pop(attempt, None)
        if future is not None and not future.done():
            future.set_result(answer)


class Parents:
    """All warm parents of a home, as far as this kernel needs them."""

    def __init__(self, home: str, settings: ProcessSettings, started: Callable[[str, int, str], None]) -> None:
        self._sockets = Sockets(home, settings)
        self._started = started
        self._links: dict[str, Link] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._skip: defaultdict[str, set[str]] = defaultdict(set)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._pids: set[int] = set()
        self._closed = False

    @property
    def cache(self) -> str:
        """Folder for the bytecode of bundles."""
        return self._sockets.cache

    def prepare(self) -> None:
        """Make the folders."""
        self._sockets.prepare()

    async def get(self, key: ParentKey) -> Link:
        """The parent for `key`, started if there is none. Raises `ParentError` if it ends at once, again and again."""
        name = self._sockets.name(key)
        if (link := self._links.get(name)) is not None:
            return link
        async with self._locks[name]:
            if (link := self._links.get(name)) is not None:
                return link
            if self._failures[name] >= START_ATTEMPTS_MAX:
                self._failures[name] = 0
                tail = self._sockets.log_tail(name)
                raise ParentError(f"{key.interpreter.python} does not start as a warm parent. Its log ends:\n{tail}")
            self._collect()
            opening = asyncio.ensure_future(
                asyncio.to_thread(self._open, key, self._sockets.config(key, self._skip[name]))
            )
            try:
                sock = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_hang_up)  # the thread goes on, and opens a socket for nobody
                raise
            return await self._link(name, sock)

    async def find(self, name: str) -> Link | None:
        """The living parent with that socket name, None if there is none."""
        if not name or (link := self._links.get(name)) is not None:
            return link if name else None
        async with self._locks[name]:
            if (link := self._links.get(name)) is not None:
                return link
            sock = self._sockets.connect(name)
            return None if sock is None else await self._link(name, sock)

    async def all(self) -> list[Link]:
        """Every living parent of the home, whoever started it."""
        return [link for name in self._sockets.names() if (link := await self.find(name)) is not None]

    def close(self) -> None:
        """Hang up on all of them."""
        self._closed = True
        for link in list(self._links.values()):
            link.close()
        self._links.clear()
        self._collect()

    def _open(self, key: ParentKey, config: ParentConfig) -> socket.socket:
        sock, pid = self._sockets.open(key, config)
        if pid is not None:
            self._pids.add(pid)
        if self._closed:  # meanwhile, and there may be no loop any more that could take it
            sock.close()
            raise ParentError("the executor was closed")
        return sock

    async def _link(self, name: str, sock: socket.socket) -> Link:
        def make() -> Link:
            return Link(self._started, lambda link: self._forget(name, link))

        _, link = await asyncio.get_running_loop().create_unix_connection(make, sock=sock)
        if not link.lost:
            self._links[name] = link
        return link

    def _forget(self, name: str, link: Link) -> None:
        if self._links.get(name) is link:
            del self._links[name]
        if link.importing:
            self._skip[name].add(link.importing)
        self._failures[name] = 0 if link.greeted else self._failures[name] + 1
        self._collect()

    def _collect(self) -> None:
        """Reap the parents that ended while this kernel was theirs."""
        for pid in list(self._pids):
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            except ChildProcessError:
                pass
            self._pids.discard(pid)


def _hang_up(opened: asyncio.Future[socket.socket]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
