"""Storage: bytes and trees by URI.

Content stored through `put_*` is addressed by its digest: the same content twice is one object. It is published
atomically: a URI is readable whole or not at all, and what `put_*` returned survives a power cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from wingbeat.types import Blob


class Storage(Protocol):
    """One URI scheme. Synchronous, because it is used in the attempt's process too; the engine calls it in a thread."""

    scheme: str

    def put_bytes(self, data: bytes) -> Blob:
        """Store `data`. Stored already: returns the same."""

    def put_file(self, path: str, name: str = "") -> Blob:
        """Store a local file, streaming. `name` is what people call it; not part of the address."""

    def put_directory(self, path: str, name: str = "") -> Blob:
        """Store a local tree of regular files. Raises ValueError on links out of the tree, devices and sockets."""

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """Store a tree of the given files: relative path in it, and a local path to read or the content itself.

        The same blob as that of a directory which holds them. Raises FileNotFoundError where one cannot be read.
        """

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """The content of a file blob. Raises FileNotFoundError; OSError if it is damaged; ValueError over `bytes_max`."""

    def fetch(self, blob: Blob) -> str:
        """A local path of the content, read-only; the store's own where it is local. Raises FileNotFoundError."""

    def verify(self, blob: Blob) -> str | None:
        """None if the content is there and whole; else what is wrong with it. Never raises for a missing object."""
