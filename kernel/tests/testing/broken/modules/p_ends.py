"""A plugin whose observer does not come back."""

import asyncio
import contextlib
import os
import time
from pathlib import Path

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


class Keeps(Ends):
    async def observe(self, events):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


class Says(Ends):
    """Says who it is, and does not come back."""

    async def observe(self, events):
        Path(os.environ["P_ENDS_SAYS"]).write_text(str(os.getpid()))
        time.sleep(600)  # noqa: ASYNC251


@hookimpl
def wingbeat_plugin():
    return PluginInfo(api=(0, 1))


@hookimpl
def wingbeat_register(registrar):
    registrar.observer("ends", lambda home: Ends())
    registrar.observer("sleeps", lambda home: Sleeps())
    registrar.observer("keeps", lambda home: Keeps())
    registrar.observer("says", lambda home: Says())
