"""The keys, grants and audit log of a server elsewhere."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from wingbeat.contracts.access import ApiKey, AuditPage, AuditQuery, Grant, NewKey
from wingbeat_admin.client.api import Api

T = TypeVar("T")


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key to be. The principal of its grants is filled in by the server."""

    name: str
    grants: list[Grant] = []
    expires_at: float | None = None


class HttpAccess:
    """A `wingbeat.contracts.access.Access` over HTTP. The server knows who asks."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create_key(
        self, name: str, grants: list[Grant], expires_at: float | None = None, *, by: str = ""
    ) -> NewKey:
        """See `Access.create_key`."""
        return await self._call(NewKey, "POST", "/apikeys", body=KeyRequest(name, grants, expires_at))

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

    async def audit(self, query: AuditQuery) -> AuditPage:
        """See `Access.audit`."""
        return await self._call(AuditPage, "GET", "/audit", params=msgspec.to_builtins(query))

    async def _call(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        body = await self._api.call(method, path, **given)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise self._api.another(error) from error
