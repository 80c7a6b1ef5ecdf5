"""What is in the box is a plugin as any other."""

from wingbeat.testing.conformance.plugin import PluginContract


class TestBuiltin(PluginContract):
    module = "wingbeat.builtin.plugin"
