"""The code and the environment of a launch, by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wingbeat.contracts.storage import Storage


def pack(file: str, storage: Storage, cache: Path) -> Any:
    """The bundle of the project that `file` belongs to."""
    from wingbeat.host.bundle import make_bundle

    return make_bundle(file, storage, str(cache))


def freeze(root: str, storage: Storage, cache: Path) -> str:
    """The digest of the lock of the project at `root`."""
    import msgspec

    from wingbeat.builtin.environments import freeze_project

    return storage.put_bytes(msgspec.json.encode(freeze_project(root))).digest
