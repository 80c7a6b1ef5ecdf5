"""The environment of tasks that declare none: the project's own lock, or the interpreter that ran it, frozen."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.durable import write_atomic
from wingbeat.builtin.environments.names import is_wingbeat
from wingbeat.builtin.environments.pins import installed_in, read_lines, read_pin, satisfies
from wingbeat.builtin.environments.settings import uv_variables
from wingbeat.builtin.environments.uv import failure, find_uv
from wingbeat.contracts.environment import ProjectLock
from wingbeat.contracts.storage import Storage
from wingbeat.spec.codec import canonical

LOCK_FILES = ("uv.lock", "requirements.lock", "requirements.txt")
_ASK = (
    "import sys, json, platform; print(json.dumps([platform.python_version(),"
    " [p for p in sys.path if p.endswith(('site-packages', 'dist-packages'))]]))"
)
_SECONDS_MAX = 60

_Stamp = tuple[tuple[str, int, int, int], ...]


class Frozen(Struct, frozen=True):
    """What an interpreter is and has: its version and its installed packages."""

    python: str
    installed: tuple[str, ...]


class _Known(Struct, frozen=True):
    """What was found out, and the state of the files that it was read from."""

    stamp: _Stamp
    python: str = ""
    folders: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


_known = msgspec.msgpack.Decoder(_Known)


def freeze_project(root: str, interpreter: str = sys.executable, *, cache_dir: str = "") -> ProjectLock:
    """The lock of a project: its uv.lock or pinned requirements if it has them, else what `interpreter` has installed.

    If `interpreter` satisfies the project's own lock already, the result names it and it is used as it is; otherwise it
    names none, and an environment is built. Pins of Wingbeat's own distributions do not count: what runs is what is
    installed here. A uv.lock cannot be read without uv; the interpreter is frozen then.

    Args:
        cache_dir: A folder of the home to remember in what was read; empty: nowhere.

    Raises:
        ConfigurationError: The interpreter does not run, or uv cannot read the uv.lock.
    """
    frozen = freeze_interpreter(interpreter, cache_dir=cache_dir)
    for name in LOCK_FILES:
        path = os.path.join(root, name)
        lines = _lock_lines(path, cache_dir) if os.path.isfile(path) else None
        if lines is not None:
            fits = satisfies(frozen.installed, _foreign(lines), frozen.python)
            return ProjectLock(frozen.python, interpreter if fits else "", tuple(sorted(lines)))
    return ProjectLock(frozen.python, interpreter, frozen.installed)


def store_project_lock(lock: ProjectLock, storage: Storage) -> str:
    """Store a lock; its digest is what `Closure.environment` holds."""
    return storage.put_bytes(canonical(lock)).digest


def freeze_interpreter(interpreter: str, *, cache_dir: str = "") -> Frozen:
    """What an interpreter has installed. The running one is looked at, another one is asked, once.

    Raises:
        ConfigurationError: It cannot be run.
    """
    if interpreter == sys.executable:
        folders = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
        return Frozen(platform.python_version(), installed_in(folders))
    # Its folders of packages depend on the binary and on the virtual environment around it.
    prefix = os.path.dirname(os.path.dirname(interpreter))
    stamp = _stamp(os.path.realpath(interpreter), os.path.join(prefix, "pyvenv.cfg"))
    cache = _cache_path(cache_dir, "python", interpreter)
    known = _recall(cache, stamp)
    if known is None:
        python, paths = _ask(interpreter)
        known = _Known(stamp, python, tuple(paths))
        _remember(cache, known)
    return Frozen(known.python, installed_in(known.folders))


def still_has(lock: ProjectLock, *, cache_dir: str = "") -> bool:
    """Whether the interpreter of a lock is there and still has what the lock says."""
    if not lock.interpreter or not os.access(lock.interpreter, os.X_OK):
        return False
    try:
        frozen = freeze_interpreter(lock.interpreter, cache_dir=cache_dir)
    except ConfigurationError:
        return False
    return frozen.python == lock.python and satisfies(frozen.installed, _foreign(lock.requirements), frozen.python)


def _foreign(lines: tuple[str, ...]) -> list[str]:
    """The lines that are not about Wingbeat itself."""
    return [line for line in lines if not ((pin := read_pin(line)) and is_wingbeat(pin.name))]


def _lock_lines(path: str, cache_dir: str) -> tuple[str, ...] | None:
    """The pins of a lock file; None if it leaves versions open and so is no lock."""
    stamp = _stamp(path, os.path.join(os.path.dirname(path), "pyproject.toml"))
    cache = _cache_path(cache_dir, "lock", path)
    if known := _recall(cache, stamp):
        return known.lines
    lines = _export(os.path.dirname(path)) if path.endswith("uv.lock") else _read(path)
    if lines is None or not all(read_pin(line) for line in lines):
        return None
    _remember(cache, _Known(stamp, lines=tuple(lines)))
    return tuple(lines)


def _read(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return read_lines(stream.read())


def _export(folder: str) -> list[str] | None:
    """The requirements that a uv.lock means; None without uv."""
    try:
        uv = find_uv()
    except ConfigurationError:
        return None
    options = ("--frozen", "--offline", "--no-dev", "--no-emit-local", "--no-header", "--no-annotate", "--quiet")
    ran = subprocess.run(
        [uv, "export", "--format", "requirements-txt", *options],
        cwd=folder,
        env=uv_variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    if ran.returncode != 0:
        raise failure(f"The environment of {os.path.join(folder, 'uv.lock')}", ran.stderr)
    return read_lines(ran.stdout)


def _ask(interpreter: str) -> tuple[str, list[str]]:
    try:
        ran = subprocess.run(
            [interpreter, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS_MAX,
            check=True,
            env=uv_variables(),
        )
        return msgspec.json.decode(ran.stdout, type=tuple[str, list[str]])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"The interpreter {interpreter} does not run: {error}") from None


def _stamp(*paths: str) -> _Stamp:
    made = []
    for path in paths:
        try:
            status = os.stat(path)
            made.append((path, status.st_size, status.st_mtime_ns, status.st_ino))
        except OSError:
            made.append((path, -1, 0, 0))
    return tuple(made)


def _cache_path(cache_dir: str, kind: str, key: str) -> str:
    return os.path.join(cache_dir, f"{kind}-{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}") if cache_dir else ""


def _recall(cache: str, stamp: _Stamp) -> _Known | None:
    if not cache:
        return None
    try:
        with open(cache, "rb") as stream:
            known = _known.decode(stream.read())
    except (OSError, msgspec.DecodeError):  # it is a cache: without it things are looked up
        return None
    return known if known.stamp == stamp else None


def _remember(cache: str, known: _Known) -> None:
    if cache:
        os.makedirs(os.path.dirname(cache), exist_ok=True)
        write_atomic(cache, msgspec.msgpack.encode(known))
