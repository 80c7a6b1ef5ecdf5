"""Requests that are made again: the same launch, and what has not changed."""

import msgspec

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


async def test_what_never_changes_has_a_tag(server):
    for path in (DEFINITION, f"/executions/{server.execution(OWN)}/closure"):
        first = await server.call(server.owner, "GET", path)
        tag = first.headers["etag"]
        for given, status in ((tag, 304), (f'"other", {tag}', 304), ('"other"', 200)):
            headers = {"authorization": f"Bearer {server.owner}", "if-none-match": given}
            answer = await server.http.get(f"/api/v1{path}", headers=headers)
            assert answer.status_code == status
            assert answer.headers["etag"] == tag
            assert (answer.content == first.content) is (status == 200)
