"""Attempts that ask: who brings the token of one that is under way, and no other."""

from __future__ import annotations

import hmac
import time

from wingbeat.base.errors import Unauthenticated
from wingbeat.contracts.access import EVERY, Grant, Role
from wingbeat.contracts.engine import Engine, Vouching
from wingbeat.spec.secrets import TOKEN
from wingbeat_admin.attempt import make
from wingbeat_admin.server.policy import Caller

AGAIN_S = 1.0
"""So soon a stream that an attempt has opened is looked at again: its attempt may have ended."""


class Attempts:
    """Looks at tokens of attempts.

    Args:
        key: That of the home, by which they are signed.
    """

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine, self._key = engine, key

    async def look(self, token: str, attempt: str) -> Caller:
        """Who it is of: a token that says to be of an attempt. Raises Unauthenticated."""
        vouched = await self._engine.vouch(attempt) if isinstance(self._engine, Vouching) else None
        expected = make(self._key, attempt, 0.0 if vouched is None else vouched.launched_at)
        same = hmac.compare_digest(token.encode(), expected.encode())
        if vouched is None or not same or TOKEN not in vouched.secrets:
            raise Unauthenticated("The token is not taken: its attempt has ended, or it is none of this server.")
        name = f"attempt:{attempt}"
        project, domain = vouched.labels.get("project", ""), vouched.labels.get("domain", "")
        seen = () if EVERY in (project, domain) else (Grant(name, Role.VIEWER, project, domain),)
        return Caller(name, seen, time.time() + AGAIN_S, is_attempt=True)
