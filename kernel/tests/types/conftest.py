"""A content store on the disk of the test, and the round trip through both formats."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from wingbeat.runtime.handlers.local import LocalDisk
from wingbeat.types import Blob, codec


class DiskIO:
    """Stores by content below one folder; counts what is put and fetched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.puts = 0
        self.fetches = 0
        self.scratches = 0

    def _put(self, path: str, name: str, layout: Any) -> Blob:
        self.puts += 1
        digest, size = LocalDisk().digest(path), LocalDisk().size(path)
        target = self.root / "store" / digest.replace(":", "-")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if layout == "directory" else shutil.copyfile)(path, target)
        return Blob(f"disk://{target}", digest, size, name, layout)

    def put_file(self, path: str, name: str) -> Blob:
        if Path(path).is_dir():
            raise IsADirectoryError(path)
        return self._put(path, name, "file")

    def put_directory(self, path: str, name: str) -> Blob:
        if not Path(path).exists():
            raise FileNotFoundError(path)
        if not Path(path).is_dir():
            raise NotADirectoryError(path)
        return self._put(path, name, "directory")

    def fetch(self, blob: Blob) -> str:
        self.fetches += 1
        return blob.uri.removeprefix("disk://")

    def open(self, blob: Blob, mode: str) -> IO[Any]:
        return open(blob.uri.removeprefix("disk://"), mode)

    def scratch(self, name: str) -> str:
        self.scratches += 1
        folder = self.root / "scratch" / str(self.scratches)
        folder.mkdir(parents=True)
        return str(folder / name)


@pytest.fixture
def io(tmp_path: Path) -> DiskIO:
    return DiskIO(tmp_path)


def through(hint: Any, value: Any, io: Any = None) -> Any:
    """The value after encode, JSON, decode; checked to be the same after msgpack."""
    one = codec(hint)
    wire = one.encode(value, io)
    from_json = msgspec.json.decode(msgspec.json.encode(wire))
    from_msgpack = msgspec.msgpack.decode(msgspec.msgpack.encode(wire))
    assert msgspec.json.encode(from_json) == msgspec.json.encode(from_msgpack) == msgspec.json.encode(wire)
    again = one.decode(from_json, io)
    assert one.encode(again, io) == wire
    one.decode(from_msgpack, io)
    return again


@pytest.fixture(name="through", scope="session")
def _through() -> Callable[..., Any]:
    return through
