"""The storage of a virtual world: lists under numbers, some of which cannot be read today."""

from __future__ import annotations

from collections.abc import Mapping

from wingbeat.testing.virtual.shadow import stored
from wingbeat.testing.virtual.world import World
from wingbeat.types import Blob


class SimStorage:
    """A `wingbeat.contracts.storage.Storage` that has everything a task of this world ever gives."""

    scheme = "sim"

    def __init__(self, world: World) -> None:
        self._chance = world.chance

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """See `Storage.read_bytes`."""
        if self._chance.fires("storage: cannot be read"):
            raise OSError("the storage is away")
        return stored(int(blob.uri.rpartition(":")[2], 16))

    def verify(self, blob: Blob) -> str | None:
        """See `Storage.verify`."""
        return "a bit has flipped" if self._chance.fires("storage: damaged") else None

    def put_bytes(self, data: bytes) -> Blob:
        """Nobody puts."""
        raise NotImplementedError

    def put_file(self, path: str, name: str = "") -> Blob:
        """Nobody puts."""
        raise NotImplementedError

    def put_directory(self, path: str, name: str = "") -> Blob:
        """Nobody puts."""
        raise NotImplementedError

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """Nobody puts."""
        raise NotImplementedError

    def fetch(self, blob: Blob) -> str:
        """Nobody fetches."""
        raise NotImplementedError
