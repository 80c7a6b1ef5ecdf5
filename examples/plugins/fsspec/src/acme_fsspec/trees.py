"""Trees of files: what is in a folder, and the list that a tree is kept as. Knows nothing of where content goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct


class Entry(Struct, frozen=True, order=True, array_like=True):
    """A file of a tree: its path, whether it may be executed, and the digest and size of its content."""

    path: str
    executable: bool
    digest: str
    size: int


def encode(entries: list[Entry]) -> bytes:
    """The list as it is kept; its digest is that of the tree, so equal trees give equal bytes."""
    return msgspec.json.encode(sorted(entries))


def decode(data: bytes) -> list[Entry]:
    """Raises ValueError for what was not written by `encode`, or leads out of the tree."""
    entries = msgspec.json.decode(data, type=list[Entry])
    for entry in entries:
        check_path(entry.path)
    return entries


def check_path(path: str) -> None:
    """Raises ValueError if it is no path of a file in a tree."""
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no path in a tree")


def check_file(path: str) -> bool:
    """Whether a local file may be executed. Raises FileNotFoundError, IsADirectoryError, ValueError if it is none."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a directory")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is neither a file nor a directory")
    return bool(mode & stat.S_IXUSR)


def files_in(root: str) -> Mapping[str, str]:
    """The files of a local folder: path in it, and where it is. Links inside are what they point to; others are refused."""
    if not os.path.isdir(root):
        raise NotADirectoryError(f"{root} is no directory") if os.path.exists(root) else FileNotFoundError(root)
    return dict(_walk(os.path.realpath(root), "", ()))


def _walk(root: str, below: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    folder = os.path.realpath(os.path.join(root, below))
    if folder in above:
        raise ValueError(f"{below} is a link to a folder that it is in")
    for name in sorted(os.listdir(folder)):
        path = f"{below}/{name}" if below else name
        real = os.path.realpath(os.path.join(folder, name))
        if not real.startswith(f"{root}/"):
            raise ValueError(f"{path} is a link out of the tree")
        if os.path.isdir(real):
            yield from _walk(root, path, (*above, folder))
        else:
            check_file(real)
            yield path, real
