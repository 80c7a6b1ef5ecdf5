"""The Pythons of this machine, and which of them a task's ``python=`` means. None is ever downloaded."""

from __future__ import annotations

import hashlib
import os
import re
import sys

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.durable import write_atomic
from wingbeat.builtin.environments.settings import path_without_shims, pyenv_folder
from wingbeat.builtin.environments.uv import find_uv, run

VERSION_MIN = (3, 11)
"""The oldest Python that the runtime works with."""

_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<|)\s*(\d+(?:\.\d+)*)(\.\*)?\s*\Z")


class Found(Struct, frozen=True):
    """A Python on this machine."""

    version: str
    path: str


class _Chosen(Struct, frozen=True):
    found: Found
    stamp: tuple[int, int, int]


class _Listed(Struct):
    version: str
    path: str
    implementation: str = "cpython"


def running() -> Found:
    """The Python that runs this, outside any virtual environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    # _base_executable is how venv itself finds the Python behind a virtual environment.
    return Found(version, os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))


async def choose(python: str, folder: str) -> Found:
    """The Python that `python` means: a version (``3.12``), clauses (``>=3.11,<3.13``), a path; empty: the running one.

    Args:
        folder: A cache: looking for interpreters takes seconds, so what was chosen is kept while it is there.

    Raises:
        ConfigurationError: There is none; lists those that were found.
    """
    here = running()
    if not python or (not python.startswith("/") and matches(here.version, python)):
        return here
    cache = f"{folder}/python-{hashlib.sha256(python.encode()).hexdigest()[:16]}"
    if known := _recall(cache):
        return known
    chosen = await (_ask(python, folder) if python.startswith("/") else _search(python, folder))
    write_atomic(cache, msgspec.msgpack.encode(_Chosen(chosen, _stamp(chosen.path))))
    return chosen


async def _search(python: str, folder: str) -> Found:
    found = await installed(folder)
    fitting = [f for f in found if matches(f.version, python)]
    usable = [f for f in fitting if _numbers(f.version) >= VERSION_MIN]
    if usable:
        return max(usable, key=lambda f: _numbers(f.version))
    known = ", ".join(f"{f.version} ({f.path})" for f in found if _numbers(f.version) >= VERSION_MIN)
    oldest = ".".join(map(str, VERSION_MIN))
    why = f"here only as {fitting[-1].version}, older than the {oldest} that tasks need" if fitting else "not here"
    raise ConfigurationError(
        f"The environment asks for Python {python}, which is {why}. Found on this machine: {known}.",
        hint="Write python= with one of those, or install another one.",
    )


def matches(version: str, wanted: str) -> bool:
    """Whether ``"3.12.1"`` is meant by ``"3.12"``, ``"==3.12.*"`` or ``">=3.11,<3.13"``.

    Raises:
        ConfigurationError: `wanted` cannot be understood.
    """
    numbers = _numbers(version)
    fits = True
    for clause in wanted.removeprefix("python").split(","):
        found = _CLAUSE.match(clause)
        if not found:
            raise ConfigurationError(
                f"python={wanted!r} is not understood.",
                hint='Write a version, like "3.12", or clauses: ">=3.11,<3.13".',
            )
        other = _numbers(found[2])
        same = numbers[: len(other)] == other
        fits = (
            fits
            and {
                "": same,
                "==": same,
                "!=": not same,
                ">=": numbers >= other,
                "<": numbers < other,
                ">": numbers > other and not same,
                "<=": numbers < other or same,
            }[found[1]]
        )
    return fits


async def installed(folder: str) -> list[Found]:
    """The Pythons that uv finds, and pyenv's; oldest first."""
    options = ("--only-installed", "--no-python-downloads", "--output-format", "json")
    listed = await run(find_uv(), "python", "list", *options, folder=folder, path=path_without_shims())
    try:
        pythons = msgspec.json.decode(listed.output, type=list[_Listed])
    except msgspec.DecodeError:
        pythons = []
    # Shims start whatever is configured where they are run; the interpreters behind them do not vary.
    listed_here = [
        Found(p.version, p.path) for p in pythons if p.implementation == "cpython" and "/shims/" not in p.path
    ]
    return _distinct([running(), *listed_here, *_of_pyenv()])


def _distinct(pythons: list[Found]) -> list[Found]:
    by_path: dict[str, Found] = {}
    for found in pythons:
        by_path.setdefault(os.path.realpath(found.path), found)
    return sorted(by_path.values(), key=lambda f: (_numbers(f.version), f.path))


def _of_pyenv() -> list[Found]:
    folder = pyenv_folder()
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    paths = [(n, os.path.join(folder, n, "bin", "python3")) for n in names if re.fullmatch(r"3\.\d+\.\d+", n)]
    return [Found(name, path) for name, path in paths if os.access(path, os.X_OK)]


async def _ask(path: str, folder: str) -> Found:
    if _is_program(path):
        code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
        said = await run(path, "-I", "-S", "-c", code, folder=folder)
        version = said.output.strip()
        if said.code == 0 and re.fullmatch(r"[\d.]+", version):
            if _numbers(version) >= VERSION_MIN:
                return Found(version, path)
            oldest = ".".join(map(str, VERSION_MIN))
            raise ConfigurationError(f"python={path!r} is Python {version}; tasks need {oldest} or later.")
    raise ConfigurationError(f"python={path!r} is not an interpreter that can be run.")


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _recall(cache: str) -> Found | None:
    """What was chosen before, if that interpreter is still the same."""
    try:
        with open(cache, "rb") as stream:
            chosen = msgspec.msgpack.decode(stream.read(), type=_Chosen)
        return chosen.found if _stamp(chosen.found.path) == chosen.stamp else None
    except (OSError, msgspec.DecodeError):
        return None


def _stamp(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ino


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])
