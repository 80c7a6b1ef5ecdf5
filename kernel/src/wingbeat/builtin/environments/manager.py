"""The environments of a machine, in its cache.

::

    CACHE/wheels/<digest>/*.whl           Wingbeat as it is installed here
          locks/<key>.txt                 what a declaration was resolved to, by hash; kept for ever
          environments/<digest>/          virtual environments; whole when they hold `MARK`, whose time is that of the last use
          environments/<digest>.lock      held by the process that builds it, or removes it
          environments/<digest>.*.gone    on their way out
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.ids import digest as digest_of
from wingbeat.builtin.durable import write_atomic
from wingbeat.builtin.environments.clearing import clear, note_use
from wingbeat.builtin.environments.interpreters import Found, choose
from wingbeat.builtin.environments.names import is_wingbeat, requirement_name
from wingbeat.builtin.environments.pins import keep_hashes, read_lines
from wingbeat.builtin.environments.project import still_has
from wingbeat.builtin.environments.settings import cache_folder
from wingbeat.builtin.environments.uv import failure, find_uv, run
from wingbeat.contracts.environment import MARK, Cleared, Interpreter, ProjectLock
from wingbeat.contracts.storage import ContentLost, Storage, StorageFailed
from wingbeat.spec.codec import canonical, read_bounded
from wingbeat.spec.entities import EnvironmentSpec
from wingbeat.types import Blob

if TYPE_CHECKING:
    from wingbeat.builtin.environments.wheels import Wheel

FORMAT = 1
"""Part of every key: raised when environments are built in another way."""

_EXTRAS = re.compile(r"[^\[;@=<>!~\s]+\s*(\[[^\]]*\])")
_project_lock = msgspec.json.Decoder(ProjectLock)


class UvEnvironments:
    """`wingbeat.contracts.environment.Environments`, with uv. Safe for many processes at once.

    Args:
        storage: Where project locks are.

        cache: The machine's cache; by default as `cache_folder` says.

        cache_dir: A folder of the home, for what is known about interpreters.
    """

    def __init__(self, storage: Storage, *, cache: str = "", cache_dir: str = "") -> None:
        self._storage = storage
        self._cache = cache or cache_folder()
        self._cache_dir = cache_dir
        self._ready: dict[bytes, Interpreter] = {}

    async def ensure(self, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
        """The interpreter for a task: of its own environment, else of the project's lock (a digest in storage).

        Without either it is the interpreter that runs this.

        Raises:
            ConfigurationError: Packages that exclude each other or do not exist, a Python that is not here, no network,
                no uv.
        """
        declared = environment if environment != EnvironmentSpec() else None
        key = canonical(declared) if declared else project_lock.encode()
        known = self._ready.get(key)
        # Whoever clears the cache clears the environments of kernels that run.
        if known and os.access(known.python, os.X_OK) and (not known.isolated or note_use(_folder_of(known.python))):
            return known
        if declared:
            made = await self._declared(declared)
        elif project_lock:
            made = await self._project(project_lock)
        else:
            made = _own()
        self._ready[key] = made
        return made

    def ready(self, project_lock: str) -> Interpreter | None:
        """What `ensure` would answer for a project's lock at once; None where something has to be made first."""
        if not project_lock:
            return _own()
        lock = self._read_project_lock(project_lock)
        if still_has(lock, cache_dir=self._cache_dir):
            return Interpreter(project_lock, lock.interpreter, isolated=False)
        return None

    async def clear(self, before: float, *, dry: bool = False) -> Cleared:
        """See `Clearable.clear`. The cache is the machine's: what other homes use counts as well."""
        import asyncio

        return await asyncio.to_thread(clear, os.path.join(self._cache, "environments"), before, dry=dry)

    async def _declared(self, environment: EnvironmentSpec) -> Interpreter:
        lines = [*environment.packages, *(line for text in environment.requirements for line in read_lines(text))]
        named = ", ".join(lines[:8]) + (", …" if len(lines) > 8 else "")
        what = f"The environment ({named})" if lines else "The environment"
        return await self._make(what, lines, environment.python, strict=True)

    async def _project(self, digest: str) -> Interpreter:
        import asyncio

        if (interpreter := await asyncio.to_thread(self.ready, digest)) is not None:
            return interpreter
        lock = self._read_project_lock(digest)
        minor = ".".join(lock.python.split(".")[:2])
        return await self._make("The environment of the project's lock", list(lock.requirements), minor, strict=False)

    def _read_project_lock(self, digest: str) -> ProjectLock:
        try:
            data = self._storage.read_bytes(Blob(f"{self._storage.scheme}:{digest}", digest, 0, ""))
            return read_bounded(data, _project_lock)
        except (OSError, ValueError) as error:
            told = f"The lock of the project's environment cannot be read: {error}"
            if isinstance(error, StorageFailed) and not isinstance(error, ContentLost):
                raise StorageFailed(told) from error  # no launch helps with it
            raise ConfigurationError(told, hint="Launch it again from its sources.") from None

    async def _make(self, what: str, lines: list[str], python: str, *, strict: bool) -> Interpreter:
        import asyncio

        from wingbeat.builtin.environments.wheels import pack_runtime  # dear, and only needed to build

        os.makedirs(self._cache, exist_ok=True)
        family = {name for line in lines if is_wingbeat(name := requirement_name(line))}
        wheels = await asyncio.to_thread(pack_runtime, family, os.path.join(self._cache, "wheels"), strict=strict)
        interpreter = await choose(python, self._cache)
        lock = await self._resolve(what, with_runtime(lines, wheels, strict=strict), interpreter)
        digest = digest_of(b"%d\n%s\n%s\n" % (FORMAT, os.fsencode(interpreter.path), _read(lock)))
        return Interpreter(digest, await self._build(what, digest, lock, interpreter))

    async def _resolve(self, what: str, lines: list[str], interpreter: Found) -> str:
        """The path of the lock for these requirements."""
        key = hashlib.sha256(msgspec.json.encode([FORMAT, sorted(lines), interpreter])).hexdigest()[:32]
        path = os.path.join(self._cache, "locks", f"{key}.txt")
        if _exists(path):
            return path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        async with _lock(path + ".lock"):
            if _exists(path):
                return path
            source = path.removesuffix(".txt") + ".in"
            write_atomic(source, ("\n".join(lines) + "\n").encode())
            made = await run(
                find_uv(), "pip", "compile", source, "--python", interpreter.path, "--generate-hashes",
                "--no-header", "--no-annotate", "--quiet",
                folder=self._cache,
            )  # fmt: skip
            if made.code != 0:
                raise failure(what, made.errors)
            try:
                resolved = keep_hashes(read_lines(made.output), lines)
            except ValueError as error:
                raise ConfigurationError(
                    f"{what} cannot be made: the index has no file of {error} with a hash that was asked for.",
                    hint="The file was replaced, or the lock is of another index: check where both come from.",
                ) from None
            write_atomic(path, ("\n".join(resolved) + "\n").encode(), durable=True)
        return path

    async def _build(self, what: str, digest: str, lock: str, interpreter: Found) -> str:
        """The path of the Python in the environment of a lock."""
        folder = os.path.join(self._cache, "environments", digest.removeprefix("sha256:")[:32])
        python = os.path.join(folder, "bin", "python")
        if _is_ready(folder, python):
            return python
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        async with _lock(folder + ".lock"):
            if _is_ready(folder, python):
                return python
            import shutil  # only where one is built

            shutil.rmtree(folder, ignore_errors=True)
            uv = find_uv()
            steps = (
                (uv, "venv", "--quiet", "--no-project", "--python", interpreter.path, folder),
                (uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock),
            )
            for step in steps:
                made = await run(*step, folder=self._cache)
                if made.code != 0:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise failure(what, made.errors)
            write_atomic(os.path.join(folder, MARK), digest.encode())
        return python


def _own() -> Interpreter:
    return Interpreter(digest_of(sys.executable.encode()), sys.executable, isolated=False)


def with_runtime(lines: Iterable[str], wheels: list[Wheel], *, strict: bool) -> list[str]:
    """The requirements, with Wingbeat's distributions from their wheels.

    Args:
        strict: A version of them that was asked for must be the one here; else it is what ran once, and does not count.
    """
    made = []
    extras: dict[str, list[str]] = {}
    for line in lines:
        name = requirement_name(line)
        if not is_wingbeat(name):
            made.append(line)
            continue
        if found := _EXTRAS.match(line):
            extras.setdefault(name, []).append(found[1].strip("[] "))
        if strict and re.search(r"[=<>~!]", line.partition(";")[0]):
            made.append(line)
    for wheel in wheels:
        wanted = ",".join(extras.get(wheel.name, ()))
        made.append(wheel.requirement(f"[{wanted}]" if wanted else ""))
    return made


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _exists(path: str) -> bool:
    return os.path.exists(path)


def _is_ready(folder: str, python: str) -> bool:
    # The link to an interpreter that was uninstalled leads nowhere.
    return note_use(folder) and os.access(python, os.X_OK)


def _folder_of(python: str) -> str:
    return os.path.dirname(os.path.dirname(python))


@contextlib.asynccontextmanager
async def _lock(path: str) -> AsyncIterator[None]:
    """Hold the lock file at `path`. Waits by asking again, because waiting inside the system cannot be cancelled."""
    import asyncio

    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        delay_s = 0.01
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(delay_s)
                delay_s = min(0.25, delay_s * 1.5)
        yield
    finally:
        os.close(fd)
