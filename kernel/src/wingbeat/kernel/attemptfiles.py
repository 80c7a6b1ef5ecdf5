"""The files of attempts: listed and read where they are, and brought here from elsewhere.

User code may write into these directories, so no link in them is followed, and only regular files are opened. Imported with
`Kernel`, also where only tasks run, so asyncio is imported where it is used.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import attempt_folder, check_execution_id, node_folder
from wingbeat.contracts.attemptfiles import FILES_MAX, AttemptFile, AttemptFiles
from wingbeat.runtime.files import DECK, LOG, MEMBERS, SUSPENDED

CHUNK_BYTES = 2**16
_OWN = (LOG, DECK, SUSPENDED)
_MEMBER = re.compile(rf"{MEMBERS}/[^/\0]{{1,255}}/{LOG}\Z")
_FOLDER = re.compile(r"[^/\0]{1,255}\Z")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def listed(attempts: Path, execution: str) -> list[AttemptFile]:
    """The files of an execution, below the folder of all attempts."""
    found: list[AttemptFile] = []
    try:
        folders = sorted(os.scandir(attempts / check_execution_id(execution)), key=_when, reverse=True)
    except OSError:
        return []
    for folder in folders:
        if folder.is_dir(follow_symlinks=False):
            found += (AttemptFile(folder.name, name, size) for name, size in _files(folder.path))
        if len(found) >= FILES_MAX:
            break
    return found[:FILES_MAX]


def _when(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return 0


def _files(folder: str) -> Iterator[tuple[str, int]]:
    names = list(_OWN)
    if not os.path.islink(f"{folder}/{MEMBERS}"):
        with contextlib.suppress(OSError):  # most have none
            members = sorted(
                each.name for each in os.scandir(f"{folder}/{MEMBERS}") if each.is_dir(follow_symlinks=False)
            )
            names += (f"{MEMBERS}/{member}/{LOG}" for member in members[:1000])
    for name in names:
        try:
            status = os.lstat(f"{folder}/{name}")
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield name, status.st_size


async def read(attempts: Path, execution: str, file: AttemptFile, offset: int) -> AsyncIterator[bytes]:
    """What there is of a file behind `offset`. Raises NotFound."""
    import asyncio

    fd = await asyncio.to_thread(_open, attempts / check_execution_id(execution), file)
    try:
        os.lseek(fd, max(0, offset), os.SEEK_SET)
        while part := await asyncio.to_thread(os.read, fd, CHUNK_BYTES):
            yield part
    finally:
        os.close(fd)


def _open(folder: Path, file: AttemptFile) -> int:
    """Open a file, one part of its path after the other."""
    known = file.name in _OWN or _MEMBER.match(file.name)
    if not (known and _FOLDER.match(file.folder)) or ".." in (file.folder, *file.name.split("/")):
        raise _missing(file)
    at = -1
    try:
        at = os.open(folder, _FLAGS | os.O_DIRECTORY)
        *above, name = (file.folder, *file.name.split("/"))
        for part in above:
            below = os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        fd = os.open(name, _FLAGS, dir_fd=at)
    except OSError as error:
        raise _missing(file) from error
    finally:
        if at >= 0:
            os.close(at)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _missing(file)
    return fd


def _missing(file: AttemptFile) -> NotFound:
    return NotFound(f"There is no file {file.name!r} of an attempt {file.folder!r}.")


async def bring(engine: AttemptFiles, execution: str, attempts: Path, *, again: bool) -> None:
    """Have here, below `attempts`, what an engine elsewhere has of an execution; `again`, of a log what is new. Raises NotFound."""
    if not again:  # what is there may be of an execution of that name at another engine
        import asyncio
        import shutil

        await asyncio.to_thread(shutil.rmtree, attempts / check_execution_id(execution), ignore_errors=True)
    for file in await engine.attempt_files(execution):
        target = attempts / check_execution_id(execution) / _checked(file)
        there = target.stat().st_size if target.exists() else -1
        if there == file.size and file.name != DECK:
            continue
        grows = 0 < there < file.size and file.name != DECK
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab" if grows else "wb") as stream:
            async for part in engine.read_attempt_file(execution, file, there if grows else 0):
                stream.write(part)


def _checked(file: AttemptFile) -> str:
    """Where it is brought to. Raises NotFound for what leads elsewhere: the engine may be anybody's."""
    parts = [file.folder, *file.name.split("/")]
    if any(part in ("", ".", "..") or "\0" in part or os.sep in part for part in parts):
        raise _missing(file)
    return os.path.join(*parts)


def member_logs(directory: Path) -> dict[str, Path]:
    """The logs of the other processes of an attempt, by their names."""
    folder = directory / MEMBERS
    if not folder.is_dir():
        return {}
    return {name: folder / name / LOG for name in sorted(os.listdir(folder)) if (folder / name / LOG).exists()}


def numbers(attempts: Path, execution: str, node: str, count: int) -> Iterator[list[int]]:
    """What follows the name of a node in the names of its attempts' folders, where that is so many numbers."""
    folder, prefix = (attempts / attempt_folder(execution, node, 0)).parent, f"{node_folder(node)}."
    for name in os.listdir(folder) if folder.is_dir() else ():
        rest = name.removeprefix(prefix).split(".")
        if name.startswith(prefix) and len(rest) == count and all(part.isdecimal() for part in rest):
            yield [int(part) for part in rest]
