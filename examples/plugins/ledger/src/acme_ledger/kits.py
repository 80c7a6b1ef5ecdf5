"""The kit: `wingbeat plugins check ledger` runs it, and so do the tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from acme_ledger.plugin import make
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat.testing.conformance.admin import AdminContract
from wingbeat.testing.home import TemporaryHome


class TestAdmin(AdminContract):
    """The admin of a home, over the engine in the box."""

    searches = False

    @contextlib.asynccontextmanager
    async def opened(self, home: TemporaryHome, engine: Engine) -> AsyncIterator[Admin]:
        """An admin, started."""
        admin = make(home, engine)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()
