"""The kit: `wingbeat plugins check sequential` runs it, and so do the tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from acme_sequential.plugin import make
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.home import TemporaryHome


@contextlib.asynccontextmanager
async def opened(home: Home) -> AsyncIterator[Engine]:
    """The engine of a home, for as long as the context is entered."""
    engine = make(home)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


PATIENCE_S = 240.0
"""Each attempt is a fresh Python, and two run at once: on a machine that is busy, twenty of them take a while."""


class TestEngine(EngineContract):
    """The engine of a home."""

    patience_s = PATIENCE_S

    def opened(self, home: TemporaryHome) -> contextlib.AbstractAsyncContextManager[Engine]:
        """One that is open."""
        return opened(home)
