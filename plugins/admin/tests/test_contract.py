"""The admin of a home keeps the contract, in its process and over HTTP; and so does the engine behind it."""

import asyncio
import contextlib
from pathlib import Path

from wingbeat import Kernel
from wingbeat.testing.conformance.admin import AdminContract
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.conformance.plugin import PluginContract
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.serving import serve


@contextlib.asynccontextmanager
async def local(home, engine):
    admin = LocalAdmin(Path(home.path, "admin.sqlite"), engine, home.storage())
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def served(home, engine):
    """The URL of a server over an admin of this home."""
    async with local(home, engine) as admin:
        url = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(home, engine, admin, host="127.0.0.1", port=0, ready=url.set_result))
        try:
            await asyncio.wait([serving, url], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            yield await url
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


class TestPlugin(PluginContract):
    module = "wingbeat_admin.plugin"
    name = "admin"


class TestLocal(AdminContract):
    def opened(self, home, engine):
        return local(home, engine)


class TestOverHttp(AdminContract):
    @contextlib.asynccontextmanager
    async def opened(self, home, engine):
        async with served(home, engine) as url:
            admin = HttpAdmin(Api(url, 30.0))
            await admin.start()
            try:
                yield admin
            finally:
                await admin.close()


class TestEngineOverHttp(EngineContract):
    @contextlib.asynccontextmanager
    async def opened(self, home):
        async with Kernel(home.path, discover=False) as kernel, served(home, kernel.engine) as url:
            engine = HttpEngine(Api(url, 30.0))
            await engine.open()
            try:
                yield engine
            finally:
                await engine.close()
