"""The plugin, its admins and its engine keep their contracts."""

import pytest

from wingbeat.testing.conformance.plugin import PluginContract
from wingbeat_admin.kits import TestEngineOverHttp, TestLocal, TestOverHttp

__all__ = ["TestEngineOverHttp", "TestLocal", "TestOverHttp", "TestPlugin"]


for over_http in (TestEngineOverHttp, TestOverHttp):
    pytest.mark.servers(over_http)  # `test_server.py` and others beside it look at the server in every run


class TestPlugin(PluginContract):
    module = "wingbeat_admin.plugin"
    name = "admin"
