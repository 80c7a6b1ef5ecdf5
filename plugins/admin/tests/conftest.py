"""A server where everybody has to prove who they are, with the same things in three places."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from wingbeat import Kernel
from wingbeat.author.schedule import FixedRate
from wingbeat.contracts.access import Grant, Role
from wingbeat.contracts.admin import Registration
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin import plugin
from wingbeat_admin.client.access import KeyRequest
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.transfer import Transfer
from wingbeat_admin.kits import served
from wingbeat_admin.place import server_of

OWN, OTHER_DOMAIN, FOREIGN = ("maps", "production"), ("maps", "development"), ("eta", "production")
PLACES = (OWN, OTHER_DOMAIN, FOREIGN)
JSON = {"content-type": "application/json"}


@dataclass
class Tenants:
    """The server, and calls to it."""

    http: httpx.AsyncClient
    home: TemporaryHome
    owner: str
    keys: dict[str, str] = field(default_factory=dict)

    own, other_domain, foreign = OWN, OTHER_DOMAIN, FOREIGN

    @staticmethod
    def definitions() -> tuple[Any, ...]:
        """What is registered in every place."""
        return (
            workflow(flows.twice, "flows.twice"),
            workflow(flows.gated, "flows.gated"),
            launchplan(flows.twice, "often", inputs={"n": 1}, trigger=FixedRate("1h")),
            launchplan(flows.twice, "fixed", fixed={"n": 1}),
        )

    @staticmethod
    def execution(place: tuple[str, str]) -> str:
        """The execution that waits in a place."""
        return f"gated-{'-'.join(place)}"

    @staticmethod
    def backfill(place: tuple[str, str]) -> dict[str, Any]:
        """Two hours of a schedule of a place."""
        return {"entity": f"{'/'.join(place)}/often@v1", "since": 0, "until": 7200, "name": f"fill-{'-'.join(place)}"}

    @staticmethod
    def code(place: tuple[str, str], labels: dict[str, str] | None = None, **more: Any) -> LaunchRequest:
        """Code that is not registered, to be run in a place."""
        told = {"project": place[0], "domain": place[1], **(labels or {})}
        return LaunchRequest(closure_of(flows.twice), {"n": Inline(1)}, labels=told, **more)

    @staticmethod
    def launch(place: tuple[str, str], **more: Any) -> dict[str, Any]:
        """What is registered there, to be run."""
        return {"entity": f"{'/'.join(place)}/flows.twice@v1", "inputs": {"n": 1}, **more}

    async def call(self, key: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request with a key, or without if it is empty."""
        headers = {**JSON, **({"authorization": f"Bearer {key}"} if key else {})}
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.request(method, f"/api/v1{path}", content=content, headers=headers, **more)

    async def key(self, name: str, *grants: tuple[str, str, str]) -> str:
        """A key with these roles: role, project, domain."""
        given = [Grant("", Role(role), project, domain) for role, project, domain in grants]
        made = await self.call(self.owner, "POST", "/apikeys", KeyRequest(name, given))
        assert made.status_code == 201, made.text
        return str(made.json()["secret"])

    def over(self, key: str) -> tuple[Api, Transfer]:
        """What clients with this key are made of."""
        api = Api(str(self.http.base_url), 20.0).signed(key)
        folder = f"{self.home.path}/../client"
        return api, Transfer(api, TemporaryHome(Path(folder)).storage(), f"{folder}/scratch")

    async def fill(self) -> None:
        """The same things in every place, put there by the owner."""
        for project, domain in PLACES:
            given = Registration(project, domain, self.definitions(), "v1")
            assert (await self.call(self.owner, "POST", "/registrations", given)).status_code == 201
            await self.call(self.owner, "POST", f"/entities/{project}/{domain}/often/v1/activate", {})
            launch = {
                "entity": f"{project}/{domain}/flows.gated@v1",
                "inputs": {"n": 1},
                "name": self.execution((project, domain)),
            }
            assert (await self.call(self.owner, "POST", "/executions", launch)).status_code == 201


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Tenants]:
    """It, with things in every place."""
    home = TemporaryHome(tmp_path / "server", {"server": {"auth": "keys"}})
    async with (
        Kernel(home.path, discover=False, plugins=[plugin]) as kernel,
        served(home, kernel.engine) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as http,
    ):
        place = server_of(home.path)
        assert place is not None
        found = Tenants(http, home, place.key)
        await found.fill()
        yield found
