"""The catalog's plugin keeps what is asked of plugins."""

from wingbeat.testing.conformance.plugin import PluginContract


class TestPlugin(PluginContract):
    module = "wingbeat_catalog.plugin"
    name = "catalog"
