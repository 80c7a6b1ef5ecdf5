"""Requests that are made again: the same launch, and what has not changed."""

import asyncio
from types import SimpleNamespace
from unittest.mock import AsyncMock

import msgspec
import pytest

from wingbeat.author.artifact import Newest
from wingbeat.contracts.admin import Registration
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat_admin.server import routes

OWN = ("maps", "production")
DEFINITION = "/entities/maps/production/flows.twice/v1/definition"


async def launch(server, key, idempotency, **more):
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {key}",
        **({"idempotency-key": idempotency} if idempotency else {}),
    }

    body = msgspec.json.encode(server.launch(OWN, **more))
    return await server.http.post("/api/v1/executions", content=body, headers=headers)


async def test_launches_under_one_key_are_one(server):
    run, other = await server.key("run", ("runner", *OWN)), await server.key("other", ("runner", *OWN))
    first, again = [await launch(server, run, "nightly") for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert (await launch(server, other, "nightly")).json()["id"] != first.json()["id"], "a key is its principal's"
    assert (await launch(server, run, "other")).json()["id"] != first.json()["id"]
    assert (await launch(server, run, "")).status_code == 201
    assert (await launch(server, run, "nightly", inputs={"n": 2})).status_code == 409
    assert (await launch(server, run, "nightly", name="named")).json()["id"] == "named"
    assert (await launch(server, run, "x" * 256)).status_code == 400


async def test_what_was_sent_is_the_same_whatever_is_newer(server):
    body = {"entity": "maps/production/flows.twice", "inputs": {"n": 1}}
    calls = [
        ("/executions", {**body, "name": "named"}, ""),
        ("/executions", body, "nightly"),
        ("/executions/named/relaunch", {"entity": body["entity"], "name": "again"}, ""),
        ("/executions/named/relaunch", {"entity": body["entity"]}, "again"),
    ]

    async def answers():
        found = []
        for path, given, idempotency in calls:
            headers = {"content-type": "application/json", "authorization": f"Bearer {server.owner}"}
            headers |= {"idempotency-key": idempotency} if idempotency else {}
            answer = await server.http.post(f"/api/v1{path}", content=msgspec.json.encode(given), headers=headers)
            found.append((answer.status_code, answer.json().get("id")))
        return found

    first = await answers()
    assert {status for status, _ in first} == {201}
    given = Registration(*OWN, (workflow(flows.numbered, "flows.twice"),), "v2")  # which takes another input, too
    assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
    assert await answers() == [(200, id) for _, id in first]
    other = await server.call(
        server.owner, "POST", "/executions", {**body, "inputs": {"n": 2, "city": "sf"}, "name": "named"}
    )
    assert other.status_code == 409


async def test_what_was_sent_is_the_same_whatever_artifact_is_newer(server):
    plan = launchplan(flows.twice, "plan", inputs={"n": Newest("maps/production/numbers")})
    given = Registration(*OWN, (workflow(flows.numbered, "numbered"), plan), "v1")
    assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
    answers = []
    for number, name in enumerate(("one", "two")):
        numbered = {"entity": "maps/production/numbered@v1", "inputs": {"n": number, "city": "sf"}, "name": name}
        assert (await server.call(server.owner, "POST", "/executions", numbered)).status_code == 201
        async with asyncio.timeout(20):
            while (
                await server.call(server.owner, "GET", f"/artifacts/maps/production/numbers/{name}")
            ).status_code != 200:
                await asyncio.sleep(0.02)
        takes = {"entity": "maps/production/plan@v1", "name": "takes"}
        answers.append((await server.call(server.owner, "POST", "/executions", takes)).status_code)
    assert answers == [201, 200]


async def test_what_never_changes_has_a_tag(server):
    for path in (DEFINITION, f"/executions/{server.execution(OWN)}/closure"):
        first = await server.call(server.owner, "GET", path)
        tag = first.headers["etag"]
        for given, status in ((tag, 304), (f'"other", {tag}', 304), (f"W/{tag}", 304), ("*", 304), ('"other"', 200)):
            headers = {"authorization": f"Bearer {server.owner}", "if-none-match": given}
            answer = await server.http.get(f"/api/v1{path}", headers=headers)
            assert answer.status_code == status
            assert answer.headers["etag"] == tag
            assert (answer.content == first.content) is (status == 200)


@pytest.mark.parametrize(
    ("phase", "tried", "aborted"), [("RUNNING", 1, True), ("ABORTING", 0, True), ("ABORTING", 1, False)]
)
async def test_an_abort_whose_answer_was_lost_does_not_stop_what_cleans_up(phase, tried, aborted):
    engine, request = AsyncMock(), AsyncMock()
    engine.describe.return_value = SimpleNamespace(phase=ExecutionPhase(phase))
    request.body.return_value = b'{"reason": "once"}'
    assert (await routes.abort.fn(engine, "mine", request, tried))["status"] == ("ended" if aborted else "aborting")
    assert engine.abort.await_count == aborted
