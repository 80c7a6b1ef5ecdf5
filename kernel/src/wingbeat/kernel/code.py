"""The code and the environment of a launch, by content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.builtin.filetree import TreeFile, make_manifest, walk_tree
from wingbeat.contracts.storage import Storage
from wingbeat.spec.entities import Closure, TaskSpec
from wingbeat.types import Blob

if TYPE_CHECKING:
    from wingbeat.host.bundle import Bundle


def pack(file: str, storage: Storage, cache: Path) -> Bundle:
    """The bundle of the project that `file` belongs to."""
    from wingbeat.host.bundle import make_bundle

    return make_bundle(file, storage, str(cache))


def pack_checked(file: str, storage: Storage, cache: Path) -> Bundle:
    """The same. Raises CompileError where `file` cannot be imported from it."""
    from wingbeat.host.reach import check_reach

    bundle = pack(file, storage, cache)
    check_reach(file, bundle)
    return bundle


def freeze(root: str, storage: Storage, cache: Path) -> str:
    """The digest of the lock of the project at `root`."""
    from wingbeat.builtin.environments import freeze_project, store_project_lock

    return store_project_lock(freeze_project(root, cache_dir=str(cache)), storage)


def files_in(bundle: str, storage: Storage) -> dict[str, str] | None:
    """By path, what the files of a bundle are, as `Manifest.contents`; None for one that is not here."""
    try:
        root = storage.fetch(Blob(f"{storage.scheme}:{bundle}", bundle, 0, "", "directory"))
        return make_manifest(_file(relative, path) for relative, path in walk_tree(root)).contents
    except (OSError, ValueError):
        return None


def _file(relative: str, path: str) -> TreeFile:
    with open(path, "rb") as stream:
        status, digest = os.fstat(stream.fileno()), hashlib.file_digest(stream, "sha256").hexdigest()
    return TreeFile(relative, status.st_size, f"sha256:{digest}", bool(status.st_mode & 0o100))


def own_tasks(closure: Closure) -> list[TaskSpec]:
    """The tasks whose functions are the author's own."""
    return [e for name, e in closure.entities.items() if isinstance(e, TaskSpec) and name not in closure.borrowed]


def runs_plain(closure: Closure) -> bool:
    """Whether one of them runs in the project's own environment."""
    return any(task.environment is None for task in own_tasks(closure))
