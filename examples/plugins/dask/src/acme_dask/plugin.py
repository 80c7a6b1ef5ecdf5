"""What is offered: the executor ``dask``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.executor import Executor
    from wingbeat.contracts.home import Home


class DaskSettings(Struct, frozen=True):
    """Which cluster.

    Attributes:
        address: Of its scheduler; without one, a cluster on this machine is started.

        workers: Of the cluster that is started.

        threads: So many attempts run at once on each of its workers.
    """

    address: str = ""
    workers: int = 2
    threads: int = 1


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"dask": DaskSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the executor."""
    registrar.executor("dask", make)


def make(home: Home) -> Executor:
    """The executor of a home."""
    from acme_dask.executor import DaskExecutor

    return DaskExecutor(home.path, home.storage(), home.storages(), home.settings("dask", DaskSettings))
