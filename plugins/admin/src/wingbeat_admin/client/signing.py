"""What proves who asks, for each request: a key of the environment, or what is kept for the server; got anew when it expires."""

from __future__ import annotations

import asyncio
import logging
import time

from wingbeat_admin.client import credentials
from wingbeat_admin.client.access import Login
from wingbeat_admin.client.credentials import Credential
from wingbeat_admin.urls import is_safe

_log = logging.getLogger("wingbeat.admin")

EARLY_S = 60.0
"""A token is got anew so long before it expires; half of its time, where that is less."""


class Signing:
    """For one server."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._kept: Credential | None = None
        self._again_at, self._warned = 0.0, False
        self._renewing = asyncio.Lock()

    async def __call__(self) -> str:
        """The key or token; empty if nothing is known for the server. Raises what `Session.again` raises."""
        found = credentials.given() or await self._own()
        if found and not self._warned and not is_safe(self._endpoint):
            self._warned = True
            _log.warning(
                "What proves who you are goes to %s without TLS: whoever is on the way can read it.", self._endpoint
            )
        return found

    async def _own(self) -> str:
        """What is kept for the server, got anew when its time comes."""
        if self._kept is None:
            self._use(await asyncio.to_thread(credentials.of, self._endpoint))
        kept = self._kept
        assert kept is not None
        if kept.refresh and time.time() >= self._again_at:
            async with self._renewing:
                if time.time() >= self._again_at:
                    await self._renew()
        return self._kept.key or self._kept.token if self._kept is not None else ""

    def _use(self, kept: Credential) -> None:
        left = kept.expires_at - time.time()
        self._kept, self._again_at = kept, kept.expires_at - min(EARLY_S, max(left / 2, 0.0))

    async def _renew(self) -> None:
        """Get another token, unless another process just did."""
        from wingbeat_admin.client.login import at_provider, client_of

        lock = credentials.alone()
        await asyncio.to_thread(lock.__enter__)
        try:
            kept = await asyncio.to_thread(credentials.of, self._endpoint)
            self._use(kept)
            if time.time() < self._again_at or not kept.refresh:
                return
            async with client_of(kept.issuer) as http:
                session = await at_provider(Login(kept.issuer, kept.client), http)
                found = await session.again(kept)
            await asyncio.to_thread(credentials.keep, self._endpoint, found)
            self._use(found)
        finally:
            lock.__exit__(None, None, None)
