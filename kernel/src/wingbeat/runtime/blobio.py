"""Where an attempt's process stores and fetches content: the storage it was told of, and a scratch folder."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO, Any, cast

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.storage import Storage
from wingbeat.runtime.job import StorageRef
from wingbeat.spec.literal import Offloaded
from wingbeat.types import Blob

OFFLOADED_BYTES_MAX = 2**31


def open_storage(ref: StorageRef) -> Storage | None:
    """The storage that `ref` names, None if it names none."""
    if not ref.target:
        return None
    module, _, name = ref.target.partition(":")
    return cast(Storage, getattr(importlib.import_module(module), name)(**ref.arguments))


class AttemptIO:
    """Content of values, by a storage and a scratch folder. Implements `wingbeat.types.BlobIO`."""

    def __init__(self, ref: StorageRef, scratch: str) -> None:
        self._ref = ref
        self._opened: Storage | None = None
        self._scratch = scratch
        self._count = 0

    @property
    def used_scratch(self) -> bool:
        """Whether the scratch folder was made."""
        return self._count > 0

    @property
    def storage(self) -> Storage:
        """The storage, made on first use: most attempts never need it."""
        if self._opened is None:
            self._opened = open_storage(self._ref)
        if self._opened is None:
            raise ConfigurationError("A value has to be stored, but this executor was given no storage.")
        return self._opened

    def read(self, literal: Offloaded) -> bytes:
        """The canonical JSON of an offloaded value."""
        digest = "sha256:" + literal.uri[-64:]  # content is addressed by its digest: every URI ends with it
        blob = Blob(uri=literal.uri, digest=digest, size=literal.size, name="")
        return self.storage.read_bytes(blob, bytes_max=OFFLOADED_BYTES_MAX)

    def put_bytes(self, data: bytes) -> Blob:
        """Store `data`."""
        return self.storage.put_bytes(data)

    def put_file(self, path: str, name: str) -> Blob:
        """Store a local file by its content."""
        return self.storage.put_file(path, name)

    def put_directory(self, path: str, name: str) -> Blob:
        """Store a local tree by its content."""
        return self.storage.put_directory(path, name)

    def fetch(self, blob: Blob) -> str:
        """A local path of the content, read-only."""
        return self.storage.fetch(blob)

    def open(self, blob: Blob, mode: str) -> IO[Any]:
        """Read a file's content as a stream; text is UTF-8."""
        encoding = None if "b" in mode else "utf-8"
        return Path(self.fetch(blob)).open(mode, encoding=encoding)

    def scratch(self, name: str) -> str:
        """A fresh local path at which to write something before it is put."""
        self._count += 1
        folder = Path(self._scratch, str(self._count))
        folder.mkdir(parents=True)
        return str(folder / name)
