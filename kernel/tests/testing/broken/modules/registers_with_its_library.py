"""A plugin that imports the library of its type to register it."""

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.types import BlobType, register


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 1))


@hookimpl
def wingbeat_types():
    import decimal

    register(f"{decimal.Decimal.__module__}.Decimal", BlobType("decimal"), "handlers:DecimalHandler")
