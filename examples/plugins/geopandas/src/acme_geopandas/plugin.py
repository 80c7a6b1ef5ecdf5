"""What is offered: a type."""

from __future__ import annotations

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.types import TableType, register


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts; there is nothing to set."""
    return PluginInfo(api=(0, 1), kits=("acme_geopandas.kits:TestGeoDataFrame",))


@hookimpl
def wingbeat_types() -> None:
    """Offer GeoDataFrames as tables. Neither geopandas nor the handler is imported here."""
    register("geopandas.geodataframe.GeoDataFrame", TableType(), "acme_geopandas.handler:GeoDataFrameHandler")
