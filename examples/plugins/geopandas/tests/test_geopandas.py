"""The kits."""

from __future__ import annotations

from acme_geopandas.kits import TestGeoDataFrame
from wingbeat.testing.conformance.plugin import PluginContract

__all__ = ["TestGeoDataFrame"]


class TestPlugin(PluginContract):
    module = "acme_geopandas.plugin"
    name = "geopandas"
