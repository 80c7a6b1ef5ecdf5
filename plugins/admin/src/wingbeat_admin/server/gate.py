"""The gate: every request passes here, before anything of it is done. Who asks, by what it brings; whether it may, by the table."""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from wingbeat.base.errors import AccessDenied, Unauthenticated, WingbeatError
from wingbeat.base.ids import short_id
from wingbeat.contracts.access import AuditEntry, Outcome
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat_admin.attempt import attempt_of
from wingbeat_admin.local import audit
from wingbeat_admin.local.access import LocalAccess
from wingbeat_admin.local.audit import Call
from wingbeat_admin.local.keys import id_of
from wingbeat_admin.places import is_within
from wingbeat_admin.server.needs import Asked
from wingbeat_admin.server.noting import Notes
from wingbeat_admin.server.policy import Caller, all_powerful
from wingbeat_admin.server.rates import Rates
from wingbeat_admin.server.reach import Reach, Shown
from wingbeat_admin.server.table import ATTEMPTS, LAUNCHES, TABLE, Effect, Rule

if TYPE_CHECKING:
    from wingbeat_admin.server.attempts import Attempts
    from wingbeat_admin.server.tokens import Tokens

REQUEST_ID_LENGTH_MAX = 64


class Gate:
    """Lets requests pass, or not.

    Args:
        access: Keys, grants and audit log; None if the admin has none that a server can decide by.

        owner_key: What the owner of the home brings; empty where nobody has to prove who they are.

        end: Set when the server stops.

        tokens: Looks at tokens of a provider, where there is one.

        attempts: Looks at those of attempts.
    """

    def __init__(
        self,
        admin: Admin,
        engine: Engine,
        access: LocalAccess | None,
        owner_key: str,
        scheme: str,
        end: asyncio.Event,
        tokens: Tokens | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._admin, self._engine, self._access = admin, engine, access
        self._tokens, self._attempts = tokens, attempts
        self._owner_key, self._scheme, self._end = owner_key, scheme, end
        self._notes = None if access is None else Notes(access)
        self._changed = asyncio.Event()
        self._rates = Rates()
        self.reach = Reach()
        if access is not None:
            access.changed.append(self._has_changed)

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raise what is answered instead, or let it pass: a guard of all routes."""
        assert isinstance(connection, Request)
        path = connection.scope["path_template"]
        rule = TABLE.get((connection.scope["method"], path))
        if rule is None:
            if allowed := ", ".join(method for method, known in TABLE if known == path):
                raise MethodNotAllowedException(headers={"allow": allowed})
            raise NotFoundException
        call = Call("", connection.client.host if connection.client else "", _request_id(connection))
        connection.state["rule"] = rule
        asked = self._asked(connection, Caller(""))
        try:
            caller = asked.caller = await self._caller(connection, rule)
            call.principal = caller.name
            connection.state["caller"] = caller
            self._take(caller, rule)
            await self._check(rule, asked)
        except WingbeatError as error:
            if asked.denied or isinstance(error, AccessDenied):  # which is not told outside: both are answered alike
                await self._note(rule, asked, call, Outcome.DENIED)
            raise
        if rule.effect is Effect.ENGINE:
            await self._note(rule, asked, call, Outcome.ALLOWED)
            call.noted = True
        connection.state["passed"] = (rule, asked, call)
        audit.CALL.set(call)

    async def answered(self, message: Message, scope: Scope) -> None:
        """What was to change the file and has not is noted as failed, before that is answered: a hook of all answers."""
        passed: tuple[Rule, Asked, Call] | None = scope.get("state", {}).get("passed")
        if message["type"] != "http.response.start" or passed is None:
            return
        rule, asked, call = passed
        if rule.effect is Effect.FILE and not call.noted:
            call.noted = True
            await self._note(rule, asked, call, Outcome.FAILED)

    def caller(self, request: Request[Any, Any, Any]) -> Caller:
        """Who has asked, of a request that has passed."""
        return request.state["caller"]  # type: ignore[no-any-return]

    def shown(self, request: Request[Any, Any, Any]) -> Shown:
        """What is told what its answer shows."""
        return Shown(self.reach, self.caller(request), self._scheme)

    def permit(self, request: Request[Any, Any, Any]) -> Permit:
        """Until when an answer that lasts may last."""
        return Permit(self, request)

    async def until_changed(self, seconds: float | None) -> None:
        """Return when the server ends, or keys or grants have changed, or some seconds have passed."""
        waiting = [asyncio.ensure_future(self._end.wait()), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    @property
    def ended(self) -> bool:
        """Whether the server stops."""
        return self._end.is_set()

    async def still(self, request: Request[Any, Any, Any]) -> bool:
        """Whether a request that has passed would pass again."""
        rule: Rule = request.state["rule"]
        try:
            caller = await self._caller(request, rule)
            await self._check(rule, self._asked(request, caller))
        except WingbeatError:
            return False
        request.state["caller"] = caller  # what a list shows goes by what holds now
        return True

    def _asked(self, request: Request[Any, Any, Any], caller: Caller) -> Asked:
        return Asked(request, caller, self._admin, self._engine, self.reach, self._scheme)

    async def _caller(self, request: Request[Any, Any, Any], rule: Rule) -> Caller:
        """Who asks. Raises Unauthenticated."""
        if rule.needs is None or not self._owner_key:
            return all_powerful()
        assert self._access is not None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            ways = "Set WINGBEAT_API_KEY to a key that 'wingbeat create apikey' has made"
            more = "." if self._tokens is None else ", or log in with 'wingbeat login'."
            raise Unauthenticated("This server has to know who asks.", hint=ways + more)
        if hmac.compare_digest(key.encode(), self._owner_key.encode()):
            return all_powerful()
        if self._attempts is not None and (attempt := attempt_of(key)):
            return await self._attempts.look(key, attempt)
        if self._tokens is not None and not id_of(key):
            proved = await self._tokens.look(key)
            grants = await self._access.grants_of([proved.user, *proved.groups])
            return Caller(proved.user, tuple(grants), proved.expires_at)
        found = await self._access.holder(key)
        if found is None:
            raise Unauthenticated("The key is not taken: it has expired, was deleted, or is none of this server.")
        grants = await self._access.grants_of([found.principal])
        return Caller(found.principal, tuple(grants), found.expires_at, found.limits)

    def _take(self, caller: Caller, rule: Rule) -> None:
        """Count a request. Raises LimitReached if these are too many."""
        self._rates.take(caller.name, "requests", caller.limits.requests_per_minute)
        if rule.action in LAUNCHES:
            self._rates.take(caller.name, "launches", caller.limits.launches_per_minute)

    async def _check(self, rule: Rule, asked: Asked) -> None:
        if rule.needs is None or (rule.effect is Effect.NONE and asked.caller.is_mighty):
            return
        if asked.caller.is_attempt and rule.action not in ATTEMPTS:
            for grant in asked.caller.grants:  # so that the admins of its place are told
                asked.project, asked.domain = grant.project, grant.domain
            raise AccessDenied(
                f"{asked.caller.name} may not do this: its token is for reading, and for putting content.",
                hint="If its task has to, give that an API key, as a secret.",
            )
        async for need in rule.needs(asked):
            asked.denied = True
            asked.caller.check(need)
            asked.denied = False

    async def _note(self, rule: Rule, asked: Asked, call: Call, outcome: Outcome) -> None:
        if self._notes is None or self._access is None:
            return
        who = call.principal or ("" if outcome is Outcome.DENIED else self._access.owner())
        entry = AuditEntry(
            0.0, who, rule.action, asked.object, outcome, asked.project, asked.domain, call.address, call.request
        )
        await self._notes.note(entry)

    def _has_changed(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Permit:
    """Until when an answer that lasts may last: until the server ends, or whoever reads it may not any more."""

    def __init__(self, gate: Gate, request: Request[Any, Any, Any]) -> None:
        self._gate, self._request = gate, request
        self._over = False

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Whether an execution with these labels is told to whoever reads it now."""
        caller: Caller = self._request.state["caller"]
        return is_within(caller.places(), labels.get("project", ""), labels.get("domain", ""))

    def is_set(self) -> bool:
        """Whether it is over."""
        return self._over or self._gate.ended

    async def wait(self) -> None:
        """Return when it is."""
        while not self.is_set():
            expires_at = self._request.state["caller"].expires_at
            await self._gate.until_changed(None if expires_at is None else max(0.0, expires_at - time.time()))
            self._over = not self._gate.ended and not await self._gate.still(self._request)


def _request_id(request: Request[Any, Any, Any]) -> str:
    given = request.headers.get("x-request-id", "")
    return given if given.isalnum() and len(given) <= REQUEST_ID_LENGTH_MAX else short_id(os.urandom(16))
