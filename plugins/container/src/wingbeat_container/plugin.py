"""What the container plugin offers to the kernel: its hook implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from functools import partial

    from wingbeat.attempts import fetch_bundle
    from wingbeat_container.executor import ContainerExecutor

    storage = home.storage()
    settings = home.settings("container", ContainerSettings)
    files: Any = home.storage("store")  # the one in the box
    bundle_path = partial(fetch_bundle, storage)
    return ContainerExecutor(home.path, storage=storage, files=files, bundle_path=bundle_path, settings=settings)
