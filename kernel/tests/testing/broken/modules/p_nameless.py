"""A plugin with one fault."""

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 3), kits=("p_nameless_kits:TestWrapper",))
