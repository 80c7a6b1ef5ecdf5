"""The sockets of warm parents: which there are, how to reach one, how one is started.

Without asyncio, because the command line starts one before it needs a loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import sys
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.failpoints import hit
from wingbeat.runtime.job import LISTENER_FD, LOCK, ParentConfig

KEY = "WINGBEAT_API_KEY"
"""Of the person or program that launches: no task's business."""
VOLATILE = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "TERM", "WINDOWID"})
"""Environment variables that differ between two commands of one user without meaning anything to a task."""


class ParentError(Exception):
    """No warm parent can be started: its interpreter does not work."""


class ParentKey(Struct, frozen=True):
    """What attempts forked from one parent have in common. The kernel's environment variables belong to it too."""

    interpreter: Interpreter
    bundle: str
    """Local folder of the code; empty where modules are importable as they are."""
    variables: tuple[tuple[str, str], ...] = ()
    """What the tasks set themselves: a module reads them when it is imported, which is before the fork."""


class Offer(Struct, frozen=True):
    """What it takes to be the warm parent of a key, for a process that becomes it.

    Attributes:
        config: As a parent is given it.

        listener: Descriptor of its listening socket, here.

        log: Path of its log.
    """

    config: ParentConfig
    listener: int
    log: str


class Sockets:
    """The parents of one home, by their sockets."""

    def __init__(self, home: str, settings: ProcessSettings) -> None:
        self.directory = os.path.join(home, "parents")
        self.cache = os.path.join(home, "cache", "bytecode")
        self._settings = settings
        self._named: dict[ParentKey, tuple[str, dict[str, str]]] = {}

    def prepare(self) -> None:
        """Make the folder."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)

    def names(self) -> list[str]:
        """All that are there, living or not."""
        return [name for name in os.listdir(self.directory) if name.endswith(".sock")]

    def config(self, key: ParentKey, skip: Iterable[str] = ()) -> ParentConfig:
        """How the parent for `key` is started; it never imports the modules of `skip` itself."""
        return ParentConfig(
            directory=self.directory,
            name=self.name(key),
            bundle=key.bundle,
            cache=self.cache,
            idle_s=self._settings.parent_idle_s,
            preload_s=self._settings.preload_s,
            log_bytes_max=self._settings.log_bytes_max,
            skip=tuple(sorted(skip)),
        )

    @contextlib.contextmanager
    def offer(self, key: ParentKey) -> Iterator[Offer | None]:
        """What the caller may start a process with that becomes the parent for `key`; None if there is one already.

        To be left once the process is started: nobody else starts a parent meanwhile.
        """
        name = self.name(key)
        self.prepare()
        with self._opening(name) as (sock, path):
            if sock is not None:
                sock.close()
                yield None
                return
            with _listening(path) as listener:
                yield Offer(self.config(key), listener.fileno(), _log_path(self.directory, name))

    def connect(self, name: str) -> socket.socket | None:
        """A connection with the parent of that socket name; None if it does not live."""
        with self._folder() as folder:
            return _connect(f"{folder}/{name}")

    def open(self, key: ParentKey, config: ParentConfig) -> tuple[socket.socket, int | None]:
        """A connection with the parent for `key`, and its process id if it was started now. Raises `ParentError`."""
        with self._opening(config.name) as (found, path):
            if found is not None:
                return found, None
            with _listening(path) as listener:
                hit("parents.listening")
                pid = _spawn(config, key.interpreter, self._identity(key)[1], listener)
                hit("parents.spawned")
                # Connected before the parent is up: what is sent now waits for it, and is lost with it visibly.
                sock = _connect(path)
            assert sock is not None
            return sock, pid

    def log_tail(self, name: str) -> str:
        """The end of what a parent wrote."""
        try:
            with open(_log_path(self.directory, name), encoding="utf-8", errors="replace") as log:
                return log.read()[-2000:]
        except OSError:
            return "(there is no log)"

    def name(self, key: ParentKey) -> str:
        """The file name of a parent's socket. Its variables are those that this process had when it first asked."""
        return self._identity(key)[0]

    def _identity(self, key: ParentKey) -> tuple[str, dict[str, str]]:
        found = self._named.get(key)
        if found is None:
            environment = variables(key.interpreter) | dict(key.variables)
            found = self._named[key] = (_name(key, environment), environment)
        return found

    @contextlib.contextmanager
    def _opening(self, name: str) -> Iterator[tuple[socket.socket | None, str]]:
        """A connection with the parent, if it is there, and the address it has to listen at otherwise.

        Under a lock: two kernels must not both start it.
        """
        with open(os.path.join(self.directory, LOCK), "ab") as lock, self._folder() as folder:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = f"{folder}/{name}"
            sock = _connect(path)
            if sock is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            yield sock, path

    @contextlib.contextmanager
    def _folder(self) -> Iterator[str]:
        """A path of the folder that is short enough for a socket's address, however long the home's is."""
        if sys.platform != "linux":
            yield self.directory
            return
        fd = os.open(self.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)


@contextlib.contextmanager
def _listening(path: str) -> Iterator[socket.socket]:
    """A socket that listens at `path`; whoever starts a parent hands it over."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(128)
        yield listener


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


def variables(interpreter: Interpreter) -> dict[str, str]:
    """The kernel's variables, without what proves to a server who its user is, and without those that would let its packages into
    an isolated environment."""
    environment = {name: value for name, value in os.environ.items() if name != KEY}
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
