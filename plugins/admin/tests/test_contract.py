"""The plugin, its admins and its engine keep their contracts."""

from wingbeat.testing.conformance.plugin import PluginContract
from wingbeat_admin.kits import TestEngineOverHttp, TestLocal, TestOverHttp

__all__ = ["TestEngineOverHttp", "TestLocal", "TestOverHttp", "TestPlugin"]


class TestPlugin(PluginContract):
    module = "wingbeat_admin.plugin"
    name = "admin"
