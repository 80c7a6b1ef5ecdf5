"""What the container plugin offers to the kernel: its hook implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat_container.settings import ContainerSettings

if TYPE_CHECKING:
    from wingbeat.contracts.executor import Executor
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts; reads the section ``container``."""
    return PluginInfo(api=(0, 1), settings={"container": ContainerSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the executor ``container``."""
    registrar.executor("container", _executor)


def _executor(home: Home) -> Executor:
    from wingbeat.types import Blob
    from wingbeat_container.executor import ContainerExecutor

    storage = home.storage()

    def bundle_path(digest: str) -> str:
        blob = Blob(uri=f"{storage.scheme}:{digest}", digest=digest, size=0, name="", layout="directory")
        return str(storage.fetch(blob))

    settings = home.settings("container", ContainerSettings)
    return ContainerExecutor(home.path, storage=storage, bundle_path=bundle_path, settings=settings)
