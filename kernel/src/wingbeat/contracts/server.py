"""Server: what makes a home reachable for others. One is in `wingbeat-admin`; there is no kit for it: its protocol is its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home


class Serve(Protocol):
    """A function that serves until it is cancelled."""

    async def __call__(
        self, home: Home, engine: Engine, admin: Admin, *, host: str, port: int, ready: Callable[[str], None]
    ) -> None:
        """Serve an engine and an admin, which are started and closed by the caller.

        Args:
            host: Address to listen at.

            port: 0 takes one that is free.

            ready: Called with the URL, once it answers there.

        Raises: `ConfigurationError` if it cannot listen there.
        """
