"""What is offered: the observer ``openlineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acme_openlineage.settings import OpenLineageSettings
from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.observer import Observer


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"openlineage": OpenLineageSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the observer."""
    registrar.observer("openlineage", make)


def make(home: Home) -> Observer:
    """The observer of a home."""
    from acme_openlineage.observer import OpenLineageObserver

    return OpenLineageObserver(home.settings("openlineage", OpenLineageSettings))
