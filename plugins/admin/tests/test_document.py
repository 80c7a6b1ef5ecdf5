"""The OpenAPI document: bodies, links and keys."""

import asyncio
import json

import httpx

from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.links import LINKS
from wingbeat_admin.server.serving import application
from wingbeat_admin.server.table import TABLE


async def document_of(tmp_path):
    home = TemporaryHome(tmp_path)
    admin = LocalAdmin(tmp_path / "admin.sqlite", None, home.storage())
    app = application(home, None, admin, frozenset({"testserver.local"}), asyncio.Event())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver.local") as http:
        return app, (await http.get("/api/openapi/openapi.json")).json()


async def test_every_call_that_takes_a_body_says_which(tmp_path):
    _, document = await document_of(tmp_path)
    operations = {
        (method.upper(), path): each for path, item in document["paths"].items() for method, each in item.items()
    }
    assert {("GET", "/api/openapi"), ("GET", "/api/openapi/openapi.json")} | operations.keys() == TABLE.keys()
    without = {path for (method, path), each in operations.items() if method == "POST" and "requestBody" not in each}
    assert {path.rpartition("/")[2] for path in without} == {"activate", "deactivate", "resume", "resend"}
    assert {path for (_, path), each in operations.items() if each.get("security") == []} == {
        "/api/v1/health",
        "/api/v1/login",
    }
    names = set(document["components"]["schemas"])
    used = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert used == names


async def test_links_lead_to_operations_and_name_their_parameters(tmp_path):
    app, document = await document_of(tmp_path)
    parameters = {
        each["operationId"]: {given["name"] for given in each.get("parameters", ())}
        for item in document["paths"].values()
        for each in item.values()
    }
    links = [
        link
        for item in document["paths"].values()
        for each in item.values()
        for answer in each["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    for link in links:
        assert set(link.get("parameters", ())) <= parameters[link["operationId"]], link
    names = [handler.fn.__name__ for route in app.routes for handler in route.route_handlers]
    linked = LINKS.keys() | {name for each in LINKS.values() for name in each}
    assert {name: names.count(name) for name in linked} == dict.fromkeys(linked, 1)
