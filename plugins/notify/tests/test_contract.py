"""The plugin and its notifiers keep their contracts."""

from wingbeat.testing.conformance.plugin import PluginContract
from wingbeat_notify.kits import TestMail, TestWebhook

__all__ = ["TestMail", "TestPlugin", "TestWebhook"]


class TestPlugin(PluginContract):
    module = "wingbeat_notify.plugin"
    name = "notify"
