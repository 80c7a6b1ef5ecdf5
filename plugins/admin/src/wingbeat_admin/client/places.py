"""The settings of a server's places."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from wingbeat.contracts.places import Setting, Settled
from wingbeat.spec.identity import check_place
from wingbeat_admin.client.api import Api
from wingbeat_admin.places import is_within

T = TypeVar("T")


class HttpPlaces:
    """A `wingbeat.contracts.places.Places` over HTTP. The server knows who asks."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create_setting(self, setting: Setting, *, by: str = "") -> bool:
        """See `Places.create_setting`."""
        return await self._call(bool, "POST", "/settings", body=setting)

    async def delete_setting(self, name: str, project: str, domain: str, *, by: str = "") -> None:
        """See `Places.delete_setting`."""
        await self._api.call("DELETE", "/settings", params={"name": name, "project": project, "domain": domain})

    async def settings(self, *, within: tuple[str, ...] | None = None) -> list[Setting]:
        """See `Places.settings`."""
        found = await self._call(list[Setting], "GET", "/settings")
        return [each for each in found if is_within(within, each.project, each.domain)]

    async def settled(self, project: str, domain: str, launchplan: str = "") -> list[Settled]:
        """See `Places.settled`."""
        check_place(project, domain)
        params = {"launchplan": launchplan}
        return await self._call(list[Settled], "GET", f"/settings/{quote(project)}/{quote(domain)}", params=params)

    async def _call(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        body = await self._api.call(method, path, **given)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise self._api.another(error) from error
