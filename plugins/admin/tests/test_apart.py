"""An admin in one process, and the kernel that it works with in another: the engine is a client of that one's server."""

import contextlib
from pathlib import Path

import pytest

from wingbeat import Kernel
from wingbeat.testing.conformance.artifacts import ArtifactsContract
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.kits import client, local, served

pytestmark = pytest.mark.servers


class TestApart(ArtifactsContract):
    """Launch, triggers, artifacts and the history of what the other process runs."""

    def opened(self, home, engine):
        return local(home, engine)

    @contextlib.asynccontextmanager
    async def engine(self, home):
        elsewhere = TemporaryHome(Path(f"{home.path}-elsewhere"))
        async with Kernel(elsewhere.path, discover=False) as kernel, served(elsewhere, kernel.engine) as url:
            engine = HttpEngine(*client(url, home))
            await engine.open()
            try:
                yield engine
            finally:
                await engine.close()
