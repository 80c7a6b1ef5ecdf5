"""A plugin with an admin, an engine, notifiers and a command that do as little as possible."""

import asyncio

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo


class Thing:
    def __init__(self, engine=None):
        self.engine = engine
        self.calls = []

    async def open(self):
        self.calls.append("open")

    async def start(self):
        await self.open()

    async def close(self):
        self.calls.append("close")


class Silent:
    """Fails if something is sent."""

    channels = ("ops", "people")

    async def notify(self, message):
        raise AssertionError("sent")

    async def close(self):
        pass


class Waits(Thing):
    async def observe(self, events):
        await asyncio.Event().wait()


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 2))


@hookimpl
def wingbeat_register(registrar):
    registrar.engine("far", lambda home: Thing())
    registrar.admin("far", lambda home, engine: Thing(engine))
    registrar.observer("waits", lambda home: Waits())
    registrar.notifier("silent", lambda home: Silent())
    registrar.notifier("off", lambda home: None)
    registrar.command("notes", "commanding:good", "Keep notes in the home.")
