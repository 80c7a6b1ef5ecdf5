"""Who may do what: every role, on every route, on what is in its own domain, in another domain of its project, and in a foreign
project. What is expected stands here, apart from the table that the server goes by."""

import asyncio
from typing import Any, NamedTuple

import pytest
from litestar import get as get_route
from msgspec import structs

from wingbeat import workflow
from wingbeat.contracts.admin import Registration
from wingbeat.contracts.catalog import Eviction
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.attempt import key_of, make
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.serving import application
from wingbeat_admin.server.table import TABLE

ROLES = ("viewer", "runner", "developer", "admin")
HASH = "sha256:" + "0" * 64
ANY = dict.fromkeys(("project", "domain", "name", "version", "notification", "execution", "folder"), "x") | {
    "digest": HASH
}
OWN, OTHER_DOMAIN, FOREIGN = ("maps", "production"), ("maps", "development"), ("eta", "production")


@workflow
def asking(path: str) -> int:
    """An attempt with a token."""
    return flows.wait_for.override(secrets=["@token"])(path)


@pytest.fixture
def go(tmp_path):
    """What it waits for."""
    yield tmp_path / "go"
    (tmp_path / "go").touch()


def viewer(principal: str, place: tuple[str, str]) -> Any:
    return {"principal": principal, "role": "viewer", "project": place[0], "domain": place[1]}


def where(place: tuple[str, str]) -> dict[str, str]:
    return {"project": place[0], "domain": place[1]}


ENTITY, EXECUTION = "/entities/{project}/{domain}/{name}/{version}", "/executions/{execution}"
BACKFILL = "/backfills/{backfill}"


class Row(NamedTuple):
    """A route about something that is in a place: the least role for it; name, parameters and body, made for a place."""

    method: str
    path: str
    least: str
    name: str = "flows.twice"
    body: Any = None
    query: Any = None


ROWS = (
    Row("GET", ENTITY, "viewer"),
    Row("GET", f"{ENTITY}/definition", "viewer"),
    Row("GET", f"{ENTITY}/referrers", "viewer"),
    Row("GET", f"{ENTITY}/ticks", "viewer", "often", query=lambda _: {"after": 0}),
    Row("GET", EXECUTION, "viewer"),
    Row("GET", f"{EXECUTION}/closure", "viewer"),
    Row("GET", f"{EXECUTION}/wait", "viewer", query=lambda _: {"seconds": 0}),
    Row("GET", f"{EXECUTION}/waiting", "viewer"),
    Row("GET", f"{EXECUTION}/files", "viewer"),
    Row("GET", f"{EXECUTION}/cache", "viewer", query=lambda _: {"node": "n0"}),
    Row("POST", "/engine/recovery-plans", "viewer", body=lambda server, place: server.code(place, recover=server.execution(place))),
    Row("POST", "/executions", "runner", body=lambda server, place: server.launch(place)),
    Row("POST", f"{EXECUTION}/signals", "runner", body=lambda *_: {"name": "good", "value": ["v", True], "id": "x"}),
    Row("POST", f"{EXECUTION}/abort", "runner", body=lambda *_: {"reason": "for a test"}),
    Row("POST", f"{EXECUTION}/relaunch", "runner", body=lambda server, place: {"name": f"again-{server.execution(place)}"}),
    Row("POST", f"{EXECUTION}/recover", "runner", body=lambda server, place: {"name": f"recovered-{server.execution(place)}"}),
    Row("POST", f"{EXECUTION}/recovery-plan", "viewer", body=lambda *_: {}),
    Row("GET", f"{EXECUTION}/events", "viewer"),
    Row("POST", "/engine/launches", "developer", body=lambda server, place: server.code(place)),
    Row("POST", "/registrations", "developer", body=lambda server, place: Registration(*place, server.definitions(), "v2")),
    Row("POST", f"{ENTITY}/activate", "developer", "often"),
    Row("POST", f"{ENTITY}/pause", "developer", "often", body=lambda *_: {"reason": "for a test"}),
    Row("POST", f"{ENTITY}/resume", "developer", "often"),
    Row("POST", f"{ENTITY}/deactivate", "developer", "often"),
    Row("POST", "/backfills", "runner", body=lambda server, place: server.backfill(place)),
    Row("POST", "/backfill-plans", "runner", body=lambda server, place: server.backfill(place)),
    Row("GET", BACKFILL, "viewer"),
    Row("POST", f"{BACKFILL}/pause", "runner"),
    Row("POST", f"{BACKFILL}/resume", "runner"),
    Row("POST", f"{BACKFILL}/abort", "runner"),
    Row("POST", "/grants", "admin", body=lambda server, place: viewer("user:x", place)),
    Row("DELETE", "/grants", "admin", query=lambda place: {"principal": "user:x", "project": place[0], "domain": place[1]}),
    Row(
        "POST", "/apikeys", "admin",
        body=lambda server, place: {
            "name": f"new-{place[0]}-{place[1]}", "grants": [viewer("", place)],
        },
    ),
    Row("DELETE", "/apikeys/{key}", "admin"),
    Row("GET", "/settings/{project}/{domain}", "viewer"),
    Row("POST", "/settings", "admin", body=lambda server, place: {"name": "cpu", "value": 4, **where(place)}),
    Row("DELETE", "/settings", "admin", query=lambda place: {"name": "cpu", **where(place)}),
)  # fmt: skip
ANYWHERE = {
    ("GET", "/me"): "viewer",
    ("GET", "/entities"): "viewer",
    ("GET", "/executions"): "viewer",
    ("GET", "/engine/executions"): "viewer",
    ("GET", "/artifacts"): "viewer",
    ("GET", "/backfills"): "viewer",
    ("GET", "/notifications"): "viewer",
    ("GET", "/refusals"): "viewer",
    ("GET", "/projects"): "viewer",
    ("GET", "/settings"): "viewer",
    ("POST", "/content/missing"): "runner",
    ("PUT", "/content/files/{digest}"): "runner",
    ("PUT", "/content/trees/{digest}"): "runner",
    ("GET", "/apikeys"): "admin",
    ("GET", "/grants"): "admin",
    ("GET", "/audit"): "admin",
}
"""Routes about no one place: the least role, somewhere."""
OPEN = {("GET", "/health"), ("GET", "/login")}
APART = OPEN | {
    ("GET", "/content/files/{digest}"),
    ("GET", "/content/trees/{digest}"),
    ("GET", "/engine/changes"),
    ("GET", "/executions/{execution}/files/{folder}"),
    ("POST", "/engine/evictions"),
    ("POST", "/engine/collections"),
    ("GET", "/artifacts/{project}/{domain}/{name}/{version}"),
    ("GET", "/lineage"),
    ("GET", "/audit/verification"),
    ("POST", "/notifications/{notification}/resend"),
}
"""Routes with a test of their own."""


DENIED_TO_ATTEMPTS = {
    ("GET", BACKFILL), ("GET", "/backfills"), ("GET", "/notifications"), ("GET", "/refusals"), ("GET", "/settings"),
    ("GET", "/settings/{project}/{domain}"), ("POST", "/engine/collections"), ("POST", "/engine/evictions"),
    ("GET", "/audit/verification"), ("POST", "/notifications/{notification}/resend"),
}  # fmt: skip
"""What their tokens are not for though a viewer may, or because of what it is."""
PUTS = {("POST", "/content/missing"), ("PUT", "/content/files/{digest}"), ("PUT", "/content/trees/{digest}")}
"""What their tokens are for though a viewer may not."""


def path_of(server: Any, row: Row, place: tuple[str, str]) -> str:
    project, domain = place
    return row.path.format(
        project=project,
        domain=domain,
        name=row.name,
        version="v1",
        execution=server.execution(place),
        backfill=server.backfill(place)["name"],
        key=f"there-{project}-{domain}",
    )


def may(role: str, least: str) -> bool:
    return ROLES.index(role) >= ROLES.index(least)


async def ask(server: Any, key: str, row: Row, place: tuple[str, str]) -> tuple[int, str]:
    if (row.method, row.path) == ("DELETE", "/apikeys/{key}"):
        await server.call(server.owner, "DELETE", path_of(server, row, place))
        await server.key(path_of(server, row, place).rpartition("/")[2], ("viewer", *place))
    if row.path == "/apikeys":
        await server.call(server.owner, "DELETE", f"/apikeys/new-{place[0]}-{place[1]}")
    body = None if row.body is None else row.body(server, place)
    if body is None and row.method == "POST":
        body = {}
    answer = await server.call(
        key, row.method, path_of(server, row, place), body, params=None if row.query is None else row.query(place)
    )
    return answer.status_code, answer.text


def test_every_route_is_here():
    here = {(row.method, row.path.replace("{key}", "{name}")) for row in ROWS} | ANYWHERE.keys() | APART
    assert {(method, f"/api/v1{path}") for method, path in here} | {
        ("GET", "/api/openapi"),
        ("GET", "/api/openapi/openapi.json"),
    } == TABLE.keys()


@pytest.mark.timeout(120)
async def test_roles_on_routes(server):
    wrong = []
    for place in (OWN, OTHER_DOMAIN, FOREIGN):  # streams of what has ended end
        await server.call(server.owner, "POST", f"/executions/{server.execution(place)}/abort", {})
        await server.call(server.owner, "POST", "/backfills", server.backfill(place))
    for role in ROLES:
        key = await server.key(role, (role, *OWN))
        await server.call(
            server.owner,
            "POST",
            "/grants",
            viewer("user:x", OWN),
        )
        for row in ROWS:
            for place, denied in ((OWN, 403), (OTHER_DOMAIN, 403), (FOREIGN, 404)):
                status, text = await ask(server, key, row, place)
                allowed = place == OWN and may(role, row.least)
                # What may be done is done, or is refused for what it is: it has ended, it is there already.
                if not (status < 300 or status in (409, 422) if allowed else status == denied):
                    wrong.append((role, row.method, row.path, place, status, text[:200]))
        for (method, path), least in ANYWHERE.items():
            answer = await server.call(
                key,
                method,
                path.format(digest=HASH),
                {"files": []} if method == "POST" else b"" if method == "PUT" else None,
            )
            if (answer.status_code == 403) is may(role, least):
                wrong.append((role, method, path, answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.timeout(120)
async def test_attempts_on_routes(server, go):
    """By a token of its own an attempt is a viewer where its execution is, that puts content, and nothing else."""
    request = server.code(OWN, name="asking")
    request = structs.replace(request, closure=closure_of(asking), inputs={"path": Inline(str(go))})
    assert (await server.call(server.owner, "POST", "/engine/launches", request)).status_code == 200
    token = make(
        key_of(server.home.path),
        "asking/n0/0",
        (await server.call(server.owner, "GET", "/executions/asking")).json()["created_at"],
    )
    async with asyncio.timeout(20):
        while (await server.call(token, "GET", "/me")).status_code != 200:
            await asyncio.sleep(0.02)
    for place in (OWN, OTHER_DOMAIN, FOREIGN):
        await server.call(server.owner, "POST", f"/executions/{server.execution(place)}/abort", {})
        await server.call(server.owner, "POST", "/backfills", server.backfill(place))
    await server.call(server.owner, "POST", "/grants", viewer("user:x", OWN))
    wrong = []
    for row in ROWS:
        for place, denied in ((OWN, 403), (OTHER_DOMAIN, 403), (FOREIGN, 404)):
            status, text = await ask(server, token, row, place)
            reads = row.least == "viewer" and (row.method, row.path) not in DENIED_TO_ATTEMPTS
            expected = status in (200, 409, 422) if reads and place == OWN else status == (denied if reads else 403)
            if not expected:
                wrong.append((row.method, row.path, place, status, text[:200]))
    for method, path in ANYWHERE.keys() | APART - OPEN:
        denied = (method, path) in DENIED_TO_ATTEMPTS
        denied |= ANYWHERE.get((method, path), "viewer") != "viewer" and (method, path) not in PUTS
        body = {"files": []} if method == "POST" else b"" if method == "PUT" else None
        if path == "/engine/changes":
            continue  # which has no end: below
        answer = await server.call(token, method, path.format_map(ANY), body)
        if (answer.status_code == 403) is not denied:
            wrong.append((method, path, answer.status_code, answer.text[:200]))
    assert wrong == []
    headers = {"authorization": f"Bearer {token}"}
    async with server.http.stream("GET", "/api/v1/engine/changes", headers=headers) as answer:
        assert answer.status_code == 200
    entities = (await server.call(token, "GET", "/entities")).json()["items"]
    assert entities and all(each["id"].startswith("maps/production/") for each in entities)
    for listed in ("/executions", "/engine/executions"):
        found = (await server.call(token, "GET", listed)).json()
        ids = {each["id"] for each in (found["items"] if isinstance(found, dict) else found)}
        assert "asking" in ids and server.execution(OTHER_DOMAIN) not in ids and server.execution(FOREIGN) not in ids
    await server.call(server.owner, "POST", "/executions/asking/abort", {})
    assert (await server.call(token, "GET", "/me")).status_code == 401


@pytest.mark.timeout(120)
async def test_who_brings_no_key_gets_nowhere(server):
    expired = await server.key("expired", ("admin", "*", "*"))
    await server.call(server.owner, "DELETE", "/apikeys/expired")
    twisted = server.owner[:-1] + ("0" if server.owner[-1] != "0" else "1")
    for key in (
        "",
        "garbage",
        expired,
        twisted,
        "wb_" + "0" * 16 + "_" + "0" * 64,
        make(b"k" * 32, "asking/n0/0", 0.0),
        "wba_!_" + "0" * 64,
        "x" * 10_000,
        "\xff",
        "'; drop table apikeys",
    ):
        for row in ROWS:
            body = None if row.method == "GET" else b"{"  # which nobody looks at
            headers = {
                "content-type": "application/json",
                **({"authorization": b"Bearer " + key.encode("latin-1")} if key else {}),
            }
            answer = await server.http.request(
                row.method, f"/api/v1{path_of(server, row, OWN)}", content=body, headers=headers
            )
            assert answer.status_code == 401, (key[:20], row, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"
        for method, path in ANYWHERE.keys() | APART - OPEN:
            answer = await server.http.request(method, f"/api/v1{path.format_map(ANY)}", headers=headers)
            assert answer.status_code == 401, (key[:20], path, answer.text)
    for authorization in ("Basic YTpi", "Bearer", f"bearer  {server.owner}", f"Token {server.owner}"):
        assert (await server.http.get("/api/v1/me", headers={"authorization": authorization})).status_code == 401
    for _, path in OPEN:
        assert (await server.http.get(f"/api/v1{path}")).status_code == 200
    assert (await server.call(server.owner, "GET", "/me")).json()["grants"][0]["role"] == "admin"


async def test_what_is_foreign_is_told_as_what_is_not_there(server):
    key = await server.key("dev", ("developer", *OWN))
    assert (await server.call(server.owner, "POST", "/backfills", server.backfill(FOREIGN))).status_code == 201
    for row in ROWS:
        if row.path in ("/grants", "/apikeys", "/apikeys/{key}", "/settings"):
            continue  # admins only: their own test
        nowhere = ("nowhere", "production")
        foreign, unknown = await ask(server, key, row, FOREIGN), await ask(server, key, row, nowhere)
        assert foreign[0] == 404
        assert foreign[1].replace("eta", "nowhere") == unknown[1].replace("eta", "nowhere"), row


async def test_a_route_that_is_not_in_the_table_is_answered_by_nobody(tmp_path):
    @get_route("/api/v1/secret")
    async def secret() -> str:
        return "secret"

    home = TemporaryHome(tmp_path)
    admin = LocalAdmin(tmp_path / "admin.sqlite", None, home.storage())
    app = application(home, None, admin, frozenset({"testserver.local"}), asyncio.Event(), "owner")
    routes = {(method, route.path_format) for route in app.routes for method in route.methods if method != "OPTIONS"}
    assert routes - {("GET", "/api/openapi/{path}")} == TABLE.keys()  # that one says that there is nothing
    app.register(secret)
    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver.local") as http:
        for headers in ({}, {"authorization": "Bearer owner"}):
            assert (await http.get("/api/v1/secret", headers=headers)).status_code == 404
            assert (await http.options("/api/v1/me", headers=headers)).status_code in (404, 405)


async def test_what_is_of_all_projects_takes_an_admin_of_all(server):
    key, all_ = await server.key("maps", ("admin", "maps", "*")), await server.key("all", ("admin", "*", "*"))
    for given, denied in ((key, True), (all_, False)):
        answer = await server.call(given, "POST", "/engine/evictions", Eviction(everything=True))
        assert (answer.status_code == 403) is denied, answer.text
        answer = await server.call(given, "POST", "/engine/collections", {"dry": True})
        assert (answer.status_code == 403) is denied, answer.text
        answer = await server.call(given, "GET", "/audit/verification")
        assert answer.status_code == (403 if denied else 200), answer.text


async def test_files_of_attempts_are_for_who_may_look_at_the_execution(server):
    key, other = await server.key("own", ("viewer", *OWN)), await server.key("other", ("admin", *FOREIGN))
    found = [await server.call(each, "GET", f"/executions/{server.execution(OWN)}/files/n0.0") for each in (key, other)]
    assert [answer.status_code for answer in found] == [404, 404]
    assert "no file 'log' of an attempt" in found[0].text
    assert "no execution" in found[1].text


async def test_who_is_admin_of_a_part_says_nothing_of_the_whole(server):
    domain, project = await server.key("domain", ("admin", *OWN)), await server.key("project", ("admin", "maps", "*"))
    for key, place, allowed in (
        (domain, OWN, True), (domain, ("maps", "*"), False), (domain, ("*", "production"), False), (domain, ("*", "*"), False),
        (project, OWN, True), (project, ("maps", "*"), True), (project, ("*", "*"), False), (project, ("eta", "*"), False),
    ):  # fmt: skip
        answer = await server.call(key, "POST", "/settings", {"name": "executions", "value": 2, **where(place)})
        assert (answer.status_code == 200) is allowed, (place, answer.text)
    await server.call(server.owner, "POST", "/settings", {"name": "cpu", "value": 4})
    listed = (await server.call(domain, "GET", "/settings")).json()
    assert [(each["project"], each["domain"]) for each in listed] == [OWN]
    held = {each["name"]: each for each in (await server.call(domain, "GET", "/settings/maps/production")).json()}
    assert (held["cpu"]["source"], held["executions"]["source"]) == ("*/*", "maps/production")
