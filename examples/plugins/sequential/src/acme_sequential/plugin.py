"""What is offered: the engine ``sequential``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.engine import RemoteEngine
    from wingbeat.contracts.home import Home


class SequentialSettings(Struct, frozen=True):
    """How much at once.

    Attributes:
        slots: So many attempts run at once, of different executions.

        executions: So many executions are under way at once; the others are QUEUED.
    """

    slots: int = 2
    executions: int = 100


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(
        api=(0, 1), settings={"sequential": SequentialSettings}, kits=("acme_sequential.kits:TestEngine",)
    )


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the engine."""
    registrar.engine("sequential", make)


def make(home: Home) -> RemoteEngine:
    """The engine of a home."""
    from acme_sequential.engine import SequentialEngine

    return SequentialEngine(home, home.settings("sequential", SequentialSettings))
