"""The keys, grants and audit log of a server elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from wingbeat.contracts.access import ApiKey, AuditCheck, AuditPage, AuditQuery, Grant, KeyLimits, NewKey
from wingbeat_admin.client.api import Api, asked

T = TypeVar("T")


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key to be. The principal of its grants is filled in by the server."""

    name: str
    grants: list[Grant] = []
    expires_at: float | None = None
    limits: KeyLimits = KeyLimits()


class Login(Struct, frozen=True, omit_defaults=True):
    """How one logs in at a server: at which provider, as which client, asking for what. Empty: it takes keys only."""

    issuer: str = ""
    client: str = ""
    scopes: tuple[str, ...] = ()


class Me(Struct):
    """Who asks, as the server sees it. Empty: nobody has to prove who they are, or it is the owner of the home."""

    principal: str
    grants: list[Grant]


class HttpAccess:
    """A `wingbeat.contracts.access.Access` over HTTP. The server knows who asks."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create_key(
        self,
        name: str,
        grants: list[Grant],
        expires_at: float | None = None,
        *,
        by: str = "",
        limits: KeyLimits = KeyLimits(),
    ) -> NewKey:
        """See `Access.create_key`."""
        return await self._call(NewKey, "POST", "/apikeys", body=KeyRequest(name, grants, expires_at, limits))

    async def keys(self) -> list[ApiKey]:
        """See `Access.keys`."""
        return await self._call(list[ApiKey], "GET", "/apikeys")

    async def delete_key(self, name: str, *, by: str = "") -> None:
        """See `Access.delete_key`."""
        await self._api.call("DELETE", f"/apikeys/{quote(name, safe='')}")

    async def create_grant(self, grant: Grant, *, by: str = "") -> bool:
        """See `Access.create_grant`."""
        return await self._call(bool, "POST", "/grants", body=grant)

    async def delete_grant(self, principal: str, project: str, domain: str, *, by: str = "") -> None:
        """See `Access.delete_grant`."""
        params = {"principal": principal, "project": project, "domain": domain}
        await self._api.call("DELETE", "/grants", params=params)

    async def grants(self, principal: str = "") -> list[Grant]:
        """See `Access.grants`."""
        return await self._call(list[Grant], "GET", "/grants", params={"principal": principal})

    async def login(self, show: Callable[[str], None], *, device: bool = False, key: str = "") -> str:
        """See `Access.login`."""
        from wingbeat_admin.client import credentials
        from wingbeat_admin.client.login import at_provider, client_of

        if key:
            found = credentials.Credential(credentials.sendable(key, "The key"))
        else:
            how = await self._call(Login, "GET", "/login")
            async with client_of(how.issuer) as http:
                session = await at_provider(how, http)
                found = await (session.by_device(show) if device else session.by_code(show))
        signed = self._api.signed(found.key or found.token)
        try:
            me = msgspec.json.decode(await signed.call("GET", "/me"), type=Me)
        finally:
            await signed.close()
        await asyncio.to_thread(credentials.keep, self._api.endpoint, found)
        return me.principal

    async def logout(self) -> bool:
        """See `Access.logout`."""
        from wingbeat_admin.client import credentials

        return await asyncio.to_thread(credentials.forget, self._api.endpoint)

    async def audit(self, query: AuditQuery) -> AuditPage:
        """See `Access.audit`."""
        return await self._call(AuditPage, "GET", "/audit", params=asked(query))

    async def verify_audit(self, held: str = "") -> AuditCheck:
        """See `Access.verify_audit`."""
        return await self._call(AuditCheck, "GET", "/audit/verification", params={"held": held})

    async def _call(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        return self._api.read(kind, await self._api.call(method, path, **given))
