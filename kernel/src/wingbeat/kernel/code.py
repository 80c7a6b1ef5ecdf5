"""The code and the environment of a launch, by content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.contracts.storage import Storage

if TYPE_CHECKING:
    from wingbeat.host.bundle import Bundle


def pack(file: str, storage: Storage, cache: Path) -> Bundle:
    """The bundle of the project that `file` belongs to."""
    from wingbeat.host.bundle import make_bundle

    return make_bundle(file, storage, str(cache))


def freeze(root: str, storage: Storage, cache: Path) -> str:
    """The digest of the lock of the project at `root`."""
    from wingbeat.builtin.environments import freeze_project, store_project_lock

    return store_project_lock(freeze_project(root, cache_dir=str(cache)), storage)
