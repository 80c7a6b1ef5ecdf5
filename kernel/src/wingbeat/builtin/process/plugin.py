"""The process executor of a home, put together."""

from __future__ import annotations

from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.home import Home
from wingbeat.types import Blob


def make(home: Home) -> ProcessExecutor:
    """See `wingbeat.contracts.hookspecs.Registrar.executor`."""
    storage = home.storage()

    def bundle_path(digest: str) -> str:
        blob = Blob(uri=f"{storage.scheme}:{digest}", digest=digest, size=0, name="bundle", layout="directory")
        return storage.fetch(blob)

    return ProcessExecutor(
        home.path,
        environments=home.environments(),
        bundle_path=bundle_path,
        storages=home.storages(),
        settings=home.settings("process", ProcessSettings),
    )
