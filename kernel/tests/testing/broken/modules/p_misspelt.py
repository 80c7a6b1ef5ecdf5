"""A plugin with one fault."""

from msgspec import Struct

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo


class Settings(Struct, frozen=True):
    """Settings.

    Attributes:
        color: Of what is drawn.
    """

    color: str = "red"


class Silent:
    async def start(self):
        pass

    async def close(self):
        pass

    async def observe(self, events):
        pass


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 1), settings={"kit_colors": Settings})


@hookimpl
def wingbeat_register(registrar):
    registrar.observer("silent", lambda home: Silent())


@hookimpl
def wingbeat_registre(registrar):
    pass
