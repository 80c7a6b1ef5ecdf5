"""Warm parents, seen from the kernel: started, found again, talked to."""

# sockets, descriptors and process creation

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.environment import Interpreter
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
from wingbeat.runtime.parent import LISTENER_FD, LOCK

VOLATILE = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "TERM", "WINDOWID"})
"""Environment variables that differ between two commands of one user without meaning anything to a task."""

START_ATTEMPTS_MAX = 3

Answer = Exit | Literal["duplicate", "unknown", "lost"]


class ParentError(Exception):
    """No warm parent can be started: its interpreter does not work."""


class ParentKey(Struct, frozen=True):
    """What attempts forked from one parent have in common. The kernel's environment variables belong to it too."""

    interpreter: Interpreter
    bundle: str
    """Local folder of the code; empty where modules are importable as they are."""
    variables: tuple[tuple[str, str], ...] = ()
    """What the tasks set themselves: a module reads them when it is imported, which is before the fork."""


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
        self._directory = os.path.join(home, "parents")
        self._cache = os.path.join(home, "cache", "bytecode")
        self._settings = settings
        self._started = started
        self._links: dict[str, Link] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._skip: defaultdict[str, set[str]] = defaultdict(set)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._pids: set[int] = set()
        self._named: dict[ParentKey, tuple[str, dict[str, str]]] = {}

    @property
    def cache(self) -> str:
        """Folder for the bytecode of bundles."""
        return self._cache

    def prepare(self) -> None:
        """Make the folders."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)

    async def get(self, key: ParentKey) -> Link:
        """The parent for `key`, started if there is none. Raises `ParentError` if it ends at once, again and again."""
        name, environment = self._identity(key)
        if (link := self._links.get(name)) is not None:
            return link
        async with self._locks[name]:
            if (link := self._links.get(name)) is not None:
                return link
            if self._failures[name] >= START_ATTEMPTS_MAX:
                self._failures[name] = 0
                tail = self._log_tail(name)
                raise ParentError(f"{key.interpreter.python} does not start as a warm parent. Its log ends:\n{tail}")
            config = ParentConfig(
                directory=self._directory,
                name=name,
                bundle=key.bundle,
                cache=self._cache,
                idle_s=self._settings.parent_idle_s,
                preload_s=self._settings.preload_s,
                log_bytes_max=self._settings.log_bytes_max,
                skip=tuple(sorted(self._skip[name])),
            )
            opening = asyncio.ensure_future(asyncio.to_thread(self._open, config, key.interpreter, environment))
            try:
                sock = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_hang_up)  # the thread goes on, and opens a socket for nobody
                raise
            return await self._link(name, sock)

    def _identity(self, key: ParentKey) -> tuple[str, dict[str, str]]:
        """Socket name and variables of a parent: the variables that the kernel had when it first needed it."""
        found = self._named.get(key)
        if found is None:
            environment = _environment(key.interpreter) | dict(key.variables)
            found = self._named[key] = (_name(key, environment), environment)
        return found

    async def find(self, name: str) -> Link | None:
        """The living parent with that socket name, None if there is none."""
        if not name or (link := self._links.get(name)) is not None:
            return link if name else None
        async with self._locks[name]:
            if (link := self._links.get(name)) is not None:
                return link
            with self._folder() as folder:
                sock = _connect(f"{folder}/{name}")
            return None if sock is None else await self._link(name, sock)

    async def all(self) -> list[Link]:
        """Every living parent of the home, whoever started it."""
        names = [name for name in os.listdir(self._directory) if name.endswith(".sock")]
        return [link for name in names if (link := await self.find(name)) is not None]

    def close(self) -> None:
        """Hang up on all of them."""
        for link in list(self._links.values()):
            link.close()
        self._links.clear()
        self._collect()

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

    def _open(self, config: ParentConfig, interpreter: Interpreter, environment: dict[str, str]) -> socket.socket:
        """Connect, after starting the parent if nobody listens. Under a lock: two kernels must not both start it."""
        self._collect()
        with open(os.path.join(self._directory, LOCK), "ab") as lock, self._folder() as folder:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = f"{folder}/{config.name}"
            if (sock := _connect(path)) is not None:
                return sock
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen(128)
                self._pids.add(_spawn(config, interpreter, environment, listener))
                # Connected before the parent is up: what is sent now waits for it, and is lost with it visibly.
                sock = _connect(path)
            assert sock is not None
            return sock

    @contextlib.contextmanager
    def _folder(self) -> Iterator[str]:
        """A path of the folder that is short enough for a socket's address, however long the home's is."""
        if sys.platform != "linux":
            yield self._directory
            return
        fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)

    def _log_tail(self, name: str) -> str:
        try:
            with open(_log_path(self._directory, name), encoding="utf-8", errors="replace") as log:
                return log.read()[-2000:]
        except OSError:
            return "(there is no log)"


def _spawn(config: ParentConfig, interpreter: Interpreter, environment: dict[str, str], listener: socket.socket) -> int:
    python = interpreter.python
    arguments = [python, "-P", "-m", "wingbeat.runtime.parent", msgspec.json.encode(config).decode()]
    log = os.open(
        _log_path(config.directory, config.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    # Out of the way of the numbers that the new process gets.
    source = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, 10)
    try:
        return os.posix_spawn(
            python,
            arguments,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, source, LISTENER_FD),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=range(1, 32),
        )
    except OSError as error:
        raise ParentError(f"{python} cannot be started: {error}") from error
    finally:
        os.close(source)
        os.close(log)


def _environment(interpreter: Interpreter) -> dict[str, str]:
    """The kernel's variables, without those that would let its packages into an isolated environment."""
    environment = dict(os.environ)
    if interpreter.isolated:
        for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"):
            environment.pop(name, None)
        folder = os.path.dirname(interpreter.python)
        environment["VIRTUAL_ENV"] = os.path.dirname(folder)
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def _name(key: ParentKey, environment: dict[str, str]) -> str:
    lasting = sorted((k, v) for k, v in environment.items() if k not in VOLATILE)
    identity = [key.interpreter.digest, key.interpreter.python, key.bundle, lasting]
    return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:20] + ".sock"


def _log_path(directory: str, name: str) -> str:
    return os.path.join(directory, name.removesuffix(".sock") + ".log")


def _hang_up(opened: asyncio.Future[socket.socket]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _connect(path: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
