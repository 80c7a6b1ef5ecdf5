"""What the kits have to know to test this plugin: `wingbeat plugins check admin` runs them, and so do its tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from wingbeat import Kernel
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home
from wingbeat.testing.conformance.admin import AdminContract
from wingbeat.testing.conformance.admin_access import AccessContract
from wingbeat.testing.conformance.admin_backfill import BackfillContract
from wingbeat.testing.conformance.admin_places import PlacesContract
from wingbeat.testing.conformance.admin_projects import ProjectsContract
from wingbeat.testing.conformance.admin_references import ReferencesContract
from wingbeat.testing.conformance.admin_refusals import RefusalContract
from wingbeat.testing.conformance.admin_relaunch import RelaunchContract
from wingbeat.testing.conformance.admin_retention import ExpiryContract, RetentionContract
from wingbeat.testing.conformance.admin_told import ToldContract
from wingbeat.testing.conformance.artifacts import ArtifactsContract
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.client.transfer import Transfer
from wingbeat_admin.local.admin import LocalAdmin

TIMEOUT_S = 30.0


@contextlib.asynccontextmanager
async def local(home: Home, engine: Engine) -> AsyncIterator[LocalAdmin]:
    """The admin of a home, started."""
    admin = LocalAdmin(Path(home.path, "admin.sqlite"), engine, home.storage())
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def served(home: Home, engine: Engine) -> AsyncIterator[str]:
    """The URL of a server over an admin of a home."""
    from wingbeat_admin.server.serving import serve

    async with local(home, engine) as admin:
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(home, engine, admin, host="127.0.0.1", port=0, ready=url.set_result))
        try:
            both: list[asyncio.Future[Any]] = [serving, url]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            yield await url
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def client(url: str, home: Home) -> tuple[Api, Transfer]:
    """What clients of a server are made of, with the storage of a home."""
    api = Api(url, TIMEOUT_S)
    return api, Transfer(api, home.storage(), f"{home.path}/scratch")


class TestLocal(
    AdminContract, AccessContract, PlacesContract, ToldContract, ArtifactsContract, BackfillContract, ReferencesContract,
    RefusalContract, RelaunchContract, ProjectsContract, RetentionContract, ExpiryContract,
):  # fmt: skip
    """The admin of a home, in its process."""

    def opened(self, home: TemporaryHome, engine: Engine) -> contextlib.AbstractAsyncContextManager[Admin]:
        """Over the file."""
        return local(home, engine)


class TestOverHttp(
    AdminContract, AccessContract, PlacesContract, ToldContract, ArtifactsContract, BackfillContract, ReferencesContract,
    RefusalContract, RelaunchContract, ProjectsContract,
):  # fmt: skip
    """The same over HTTP."""

    @contextlib.asynccontextmanager
    async def opened(self, home: TemporaryHome, engine: Engine) -> AsyncIterator[Admin]:
        """Client and server."""
        async with served(home, engine) as url:
            admin = HttpAdmin(*client(url, home))
            await admin.start()
            try:
                yield admin
            finally:
                await admin.close()


class TestEngineOverHttp(EngineContract):
    """The engine behind it."""

    @contextlib.asynccontextmanager
    async def opened(self, home: TemporaryHome) -> AsyncIterator[Engine]:
        """Client, server, and the engine of a home."""
        async with Kernel(home.path, discover=False) as kernel, served(home, kernel.engine) as url:
            engine = HttpEngine(*client(url, home))
            await engine.open()
            try:
                yield engine
            finally:
                await engine.close()
