"""What is offered: the catalog ``redis``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.plugin import PluginInfo

if TYPE_CHECKING:
    from wingbeat.contracts.catalog import Catalog
    from wingbeat.contracts.home import Home


class RedisSettings(Struct, frozen=True):
    """Which Redis.

    Attributes:
        url: Of the server, ``redis://host:port/database`` or ``unix://path``.

        prefix: What the names of all keys begin with.

        lasting: Refuse a server that may forget what it was told, in a power cut.
    """

    url: str = "redis://localhost:6379/0"
    prefix: str = "wingbeat"
    lasting: bool = True


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts."""
    return PluginInfo(api=(0, 1), settings={"redis": RedisSettings})


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the catalog."""
    registrar.catalog("redis", make)


def make(home: Home) -> Catalog:
    """The catalog of a home. It is that of all homes with the same settings."""
    from acme_redis.catalog import RedisCatalog

    return RedisCatalog(home.settings("redis", RedisSettings))
