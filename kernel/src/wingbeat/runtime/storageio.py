"""Content of values through a storage: what codecs are given where a storage is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from wingbeat.contracts.storage import Storage
from wingbeat.runtime.plugged import OWN, VALUE_S_MAX, Plugin, ask
from wingbeat.spec.literal import Offloaded
from wingbeat.types import Blob
from wingbeat.types.registry import Handler

OFFLOADED_BYTES_MAX = 2**31


class StorageIO:
    """A `wingbeat.types.BlobIO` over `storage`; `scratch` is a folder for what is written before it is stored."""

    def __init__(self, storage: Storage | None, scratch: str) -> None:
        self._storage = storage
        self._scratch = scratch
        self._count = 0

    @property
    def storage(self) -> Storage:
        """The storage."""
        assert self._storage is not None
        return self._storage

    @property
    def used_scratch(self) -> bool:
        """Whether the scratch folder was made."""
        return self._count > 0

    def read(self, literal: Offloaded) -> bytes:
        """The canonical JSON of an offloaded value."""
        blob = Blob(uri=literal.uri, digest=literal.uri.partition(":")[2], size=literal.size, name="")
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
        return Path(self.fetch(blob)).open(mode, encoding=None if "b" in mode else "utf-8")

    def ask(self, handler: Handler, call: str, *args: Any, told: str, target: str, kind: type) -> Any:
        """See `wingbeat.types.BlobIO`: what the handler of a plugin answers."""
        if target.partition(".")[0] in OWN:
            return getattr(handler, call)(*args)
        said = (TypeError, ValueError) if call == "write" else ()
        return ask(Plugin(told, target), handler, call, *args, seconds=VALUE_S_MAX, kind=kind, passing=said)

    def scratch(self, name: str) -> str:
        """A fresh local path at which to write something before it is put."""
        self._count += 1
        folder = Path(self._scratch, str(self._count))
        folder.mkdir(parents=True)
        return str(folder / name)
