"""A plugin whose observer does not come back."""

import os
import time

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo


class Ends:
    async def start(self):
        pass

    async def close(self):
        pass

    async def observe(self, events):
        if len(events) > 3 and events[0].cursor > 0:  # the middle of an execution
            os._exit(3)


class Sleeps:
    async def start(self):
        pass

    async def close(self):
        pass

    async def observe(self, events):
        if len(events) > 3 and events[0].cursor > 0:
            time.sleep(600)  # noqa: ASYNC251  # which no cancellation ends


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 1))


@hookimpl
def wingbeat_register(registrar):
    registrar.observer("ends", lambda home: Ends())
    registrar.observer("sleeps", lambda home: Sleeps())
