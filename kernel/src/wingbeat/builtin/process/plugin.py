"""The process executor of a home, put together."""

from __future__ import annotations

import os

from wingbeat.builtin.environments import UvEnvironments
from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.home import Home
from wingbeat.runtime.job import StorageRef
from wingbeat.types import Blob


def make(home: Home) -> ProcessExecutor:
    """See `wingbeat.contracts.hookspecs.Registrar.executor`."""
    storage = home.storage()

    def bundle_path(digest: str) -> str:
        return str(
            storage.fetch(
                Blob(uri=f"{storage.scheme}:{digest}", digest=digest, size=0, name="bundle", layout="directory")
            )
        )

    return ProcessExecutor(
        home.path,
        environments=UvEnvironments(storage, cache_dir=os.path.join(home.path, "bundles")),
        bundle_path=bundle_path,
        storage=StorageRef("wingbeat.builtin.filestore:FileStore", {"root": os.path.join(home.path, "storage")}),
        settings=home.settings("process", ProcessSettings),
    )
