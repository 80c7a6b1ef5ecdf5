"""The checkpoint of an attempt: the folder ``checkpoint`` in its directory, and how it comes there from an earlier attempt.

Within a node it is moved: the earlier attempt is gone, and a rename is whole or did not happen. From another execution it is
copied, under another name first, because that execution may be recovered again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PosixPath
from typing import Any

from wingbeat.base.ids import attempt_folder, split_attempt_id
from wingbeat.runtime import claim
from wingbeat.runtime.files import CHECKPOINT, write_all

_PART = f".{CHECKPOINT}.part"
_TRIES = 3


class Checkpoint(PosixPath):
    """A folder that the next attempt of the node finds as this one left it, however this one ends.

    Any file may be written into it, and what is half written when the process is killed is found half written; `save` and
    `load` keep a file whole.
    """

    def with_segments(self, *segments: str | os.PathLike[str]) -> Path:
        """What is inside of it is an ordinary path."""
        return Path(*segments)

    def save(self, name: str, data: bytes) -> None:
        """Write a file so that it is there with all of `data`, durably, or as it was before.

        Args:
            name: The file's name, or path inside of the folder.

        Raises:
            TypeError: `data` is no bytes.
        """
        given: object = data
        if isinstance(given, str):
            raise TypeError("checkpoint.save() takes bytes, not a text: TEXT.encode() makes them of one.")
        target = self._inside(name)
        folder, base = os.path.split(target)
        os.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{base}.{os.getpid()}.{os.urandom(4).hex()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                write_all(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync(folder)

    def load(self, name: str) -> bytes | None:
        """The content of a file, None if it is not there."""
        try:
            with open(self._inside(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _inside(self, name: str) -> str:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise ValueError(f"{name!r} is no name of a file in the checkpoint; 'model.bin' or 'epochs/3' would be.")
        return f"{self}/{name}"


def carry(attempts: str, attempt: str, source: str) -> None:
    """Give an attempt that has not begun the checkpoint with which it begins, if there is one. May be called again.

    Args:
        attempts: Folder of all attempts.

        source: As `wingbeat.contracts.executor.AttemptRequest.checkpoint`.

    Raises:
        OSError: It cannot be copied.
    """
    execution, node, number = split_attempt_id(attempt)
    directory = f"{attempts}/{attempt_folder(execution, node, number)}"
    target = f"{directory}/{CHECKPOINT}"
    if os.path.isdir(target):
        return
    own, ran = _left(attempts, execution, node, number)
    if own:
        os.makedirs(directory, exist_ok=True)
        os.rename(own, target)
    elif source and not ran:
        execution, _, node = source.partition("/")
        for _ in range(_TRIES):  # a retry over there may move it away while it is copied
            found, _ = _left(attempts, execution, node, _count(attempts, execution, node))
            if not found or _copy(found, f"{directory}/{_PART}"):
                break
        else:
            raise OSError(f"the checkpoint of {source} changes all the time")
        if found:
            os.rename(f"{directory}/{_PART}", target)


def _left(attempts: str, execution: str, node: str, number: int) -> tuple[str, bool]:
    """The checkpoint that the attempts before `number` have left, if any; and whether one of them ran."""
    for earlier in range(number - 1, -1, -1):
        directory = f"{attempts}/{attempt_folder(execution, node, earlier)}"
        if os.path.isdir(f"{directory}/{CHECKPOINT}"):
            return f"{directory}/{CHECKPOINT}", True
        owner = claim.read(directory)
        if owner is not None and owner.cancelled is None:
            return "", True  # it was given what was there, and has left nothing
    return "", False


def _count(attempts: str, execution: str, node: str) -> int:
    count = 0
    while os.path.isdir(f"{attempts}/{attempt_folder(execution, node, count)}"):
        count += 1
    return count


def _copy(source: str, target: str) -> bool:
    """Copy a tree anew. False if it is gone meanwhile."""
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)
    except (shutil.Error, FileNotFoundError):
        if os.path.isdir(source):
            raise
        return False
    return os.path.isdir(source)


def _copy_file(source: Any, target: Any) -> None:
    """A file; what is none (a socket, a pipe), or is gone meanwhile, is left out."""
    import shutil

    with contextlib.suppress(FileNotFoundError, shutil.SpecialFileError):
        shutil.copy2(source, target, follow_symlinks=False)


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
