"""Parameters of requests: those that there are, and what is said of others."""

import asyncio

import httpx
import msgspec
import pytest
from litestar import Request
from litestar.exceptions import ValidationException

from wingbeat.contracts.access import AuditQuery
from wingbeat.contracts.admin import EntityQuery, ExecutionQuery, NotificationQuery
from wingbeat.contracts.artifacts import ArtifactQuery
from wingbeat.contracts.backfill import BackfillQuery
from wingbeat.contracts.projects import ProjectQuery
from wingbeat.contracts.refusals import RefusalQuery
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client.api import asked
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.parameters import only_known
from wingbeat_admin.server.serving import application


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A server that has nothing, in this process."""
    path = tmp_path_factory.mktemp("home")
    home = TemporaryHome(path)
    admin = LocalAdmin(path / "admin.sqlite", None, home.storage())
    return application(home, None, admin, frozenset({"testserver.local"}), asyncio.Event())


@pytest.fixture
async def http(app):
    """Requests to it."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver.local/api/v1") as client:
        yield client


async def test_a_parameter_that_there_is_not_is_refused_by_every_route(app):
    handlers = [handler for route in app.routes for handler in route.route_handlers]
    assert len(handlers) > 50
    for handler in handlers:
        with pytest.raises(ValidationException, match="There is no parameter 'phse' here"):
            await only_known(Request({"type": "http", "query_string": b"phse=FAILED"}), handler)


async def test_a_filter_that_is_mistyped_does_not_give_everything(http):
    answer = await http.get("/executions?phse=FAILED")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["title"] == "There is no parameter 'phse' here."
    assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("path", "title", "hint"),
    [
        ("/entities?order=name", "There is no parameter 'order' here.", "There are kind, project, domain, name, "),
        (
            "/entities?sort=phase",
            "The parameter 'sort' is not what is expected.",
            "It is one of created_at, name, version; with '-' before it, the greatest first.",
        ),
        (
            "/executions?sort=team",
            "The parameter 'sort' is not what is expected.",
            "It is one of created_at, ended_at, duration, name, version, workflow, phase, by, inputs.NAME, outputs.NAME, ",
        ),
        (
            "/executions?sort=inputs.a%20b",
            "The parameter 'sort' is not what is expected.",
            "It is one of created_at, ",
        ),
        ("/health?x", "There is no parameter 'x' here.", "It takes none."),
        ("/notifications?in_state=dead", "There is no parameter 'in_state' here.", "There are project, "),
        (
            "/executions?phase=FOO",
            "The parameter 'phase' is not what is expected: Invalid enum value 'FOO'.",
            "It is one of QUEUED, RUNNING, SUCCEEDING, ",
        ),
        ("/executions?since=nan", "The parameter 'since' is not what is expected: Expected `float` >= ", ""),
        ("/executions?until=inf", "The parameter 'until' is not what is expected: Expected `float` <= ", ""),
        (
            "/entities/a/b/c/v1/ticks?after=-inf",
            "The parameter 'after' is not what is expected: Expected `float` >= ",
            "",
        ),
        ("/executions?limit=0", "The parameter 'limit' is not what is expected: Expected `int` >= 1.", ""),
        (
            "/notifications?state=x",
            "The parameter 'state' is not what is expected: Invalid enum value 'x'.",
            "It is one of waiting, delivered, dead.",
        ),
        ("/executions/x/cache", "Missing required query parameter 'node'", ""),
    ],
)
async def test_what_is_refused_says_which_parameter_it_is(http, path, title, hint):
    answer = await http.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "InputError")
    assert problem["title"].startswith(title)
    assert problem.get("hint", "").startswith(hint)
    assert "detail" not in problem


async def test_of_two_mistakes_both_are_told(http):
    problem = (await http.get("/executions?limit=0&since=x")).json()
    assert "'limit'" in problem["title"]
    assert "'since'" in problem["title"]


async def test_a_header_that_is_none_is_named(http):
    problem = (await http.get("/engine/changes", headers={"last-event-id": "zzz"})).json()
    assert problem["title"].startswith("The header 'last-event-id' is not what is expected: ")
    assert problem["code"] == "InputError"


async def test_what_there_is_not_is_a_problem_like_any_other(http):
    answer = await http.get("/workflows")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")
    assert answer.json()["title"] == "This server has nothing at '/api/v1/workflows'."
    assert "/api/v1" in answer.json()["hint"]
    for method in ("DELETE", "HEAD", "OPTIONS"):
        answer = await http.request(method, "/executions")
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}
    problem = (await http.delete("/health")).json()
    assert problem["title"] == "DELETE is not done at '/api/v1/health'."
    assert (problem["code"], problem["hint"]) == ("InputError", "There is GET.")
    long = (await http.get(f"/{'x' * 10_000}")).json()
    assert len(long["title"]) < 300


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (ExecutionQuery(), "executions"), (EntityQuery(), "entities"), (NotificationQuery(), "notifications"),
        (ArtifactQuery(), "artifacts"), (RefusalQuery(), "refusals"), (BackfillQuery(), "backfills"), (AuditQuery(), "audit"),
        (ProjectQuery(), "projects"),
    ],
)  # fmt: skip
async def test_whatever_a_client_may_ask_for_the_route_takes(http, query, path):
    document = (await http.get("http://testserver.local/api/openapi/openapi.json")).json()
    taken = {each["name"] for each in document["paths"][f"/api/v1/{path}"]["get"]["parameters"]}
    assert taken == set(type(query).__struct_fields__) - {"within"}
    anywhere = msgspec.structs.replace(query, within=("eta/*",))
    assert "within" not in asked(anywhere)


@pytest.mark.parametrize("query", ["artifacts?partitions=false", "executions?labels=team", "executions?labels=%3Dmaps"])
async def test_a_key_or_label_without_a_value_is_told(http, query):
    answer = await http.get(f"/{query}")
    assert answer.status_code == 422
    assert answer.json()["title"].endswith("is no name=value, as keys and labels are given.")
