"""Local paths, for `File` and `Directory`."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

__all__ = ["LocalDisk", "tree_digest"]


class LocalDisk:
    """Looks at the disk of this machine."""

    def absolute(self, path: str) -> str:
        """The path from the root, with links kept."""
        return os.path.abspath(path)

    def path(self, path: str) -> Path:
        """As a `pathlib.Path`."""
        return Path(path)

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file; text is UTF-8 whatever the machine's locale."""
        return open(path, mode) if "b" in mode else open(path, mode, encoding="utf-8")

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files of a tree."""
        if not os.path.isdir(path):
            return os.path.getsize(path)
        return sum(os.path.getsize(file) for _, file in _files(path))

    def digest(self, path: str) -> str:
        """`sha256:…` of the bytes of a file, or of a tree."""
        return tree_digest(path) if os.path.isdir(path) else _file_digest(path)


def tree_digest(path: str) -> str:
    """`sha256:…` over the lines `<digest of the file>  <relative path>`, in order of the paths.

    Names and contents count, not times or modes.
    """
    total = sha256()
    for name, file in _files(path):
        total.update(f"{_file_digest(file)}  {name}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _file_digest(path: str) -> str:
    total = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return f"sha256:{total.hexdigest()}"


def _files(path: str) -> list[tuple[str, str]]:
    root = Path(path)
    return sorted((file.relative_to(root).as_posix(), str(file)) for file in root.rglob("*") if file.is_file())
