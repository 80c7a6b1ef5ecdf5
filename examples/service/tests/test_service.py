import asyncio
import json
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from shop.app import create_app


@asynccontextmanager
async def service(home):
    """The service from its start to its end, and a client of it. Nothing goes over a network."""
    app = create_app(home)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop", timeout=60) as client:
            yield client


@asynccontextmanager
async def server(home):
    """The service behind a real port, where answers are streamed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(home), log_level="error", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        running.install_signal_handlers = lambda: None
        serving = asyncio.create_task(running.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            yield client
        running.should_exit = True
        await serving


async def post(client, workflow, name=None, **inputs):
    return await client.post("/executions", json={"workflow": workflow, "inputs": inputs, "name": name})


async def ended(client, id):
    """The document of an execution that has ended; its events end with it."""
    await client.get(f"/executions/{id}/events")
    return (await client.get(f"/executions/{id}")).json()


def sent(text):
    """The events of a stream, as (id, data)."""
    fields = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n") if block]
    return [(int(f["id"]), json.loads(f["data"])) for f in fields]


async def test_a_quote_is_computed_inside_the_service(tmp_path):
    async with service(tmp_path) as client:
        answer = await post(client, "quote", item="pear", count=4)
        assert answer.status_code == 201
        document = await ended(client, answer.json()["id"])
        assert (document["phase"], document["outputs"]) == ("SUCCEEDED", {"o0": 2.2})
        assert [node["task"] for node in document["nodes"]] == ["shop.quotes.price", "shop.quotes.times"]


async def test_a_delivery_is_taken_in_by_processes(tmp_path):
    file = tmp_path / "delivery.csv"
    file.write_text("apple,30\npear,12\napple,3\n")
    async with service(tmp_path / "home") as client:
        answer = await post(client, "delivery", path=str(file))
        document = await ended(client, answer.json()["id"])
        assert (document["phase"], document["outputs"]) == ("SUCCEEDED", {"o0": 45})


async def test_a_client_that_asks_again_gets_the_same_execution(tmp_path):
    async with service(tmp_path) as client:
        first = await post(client, "quote", "order-1", item="apple")
        again = await post(client, "quote", "order-1", item="apple")
        other = await post(client, "quote", "order-1", item="pear")
    assert [first.status_code, again.status_code, other.status_code] == [201, 200, 409]
    assert first.json()["id"] == again.json()["id"] == "order-1"
    assert "order-1" in other.json()["error"]


async def test_fifty_executions_run_at_once(tmp_path):
    async with service(tmp_path) as client:
        answers = await asyncio.gather(*(post(client, "quote", f"q{n}", item="quince", count=n) for n in range(50)))
        assert {answer.status_code for answer in answers} == {201}
        documents = await asyncio.gather(*(ended(client, f"q{n}") for n in range(50)))
    assert [document["outputs"]["o0"] for document in documents] == [round(1.2 * n, 2) for n in range(50)]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"workflow": "quote", "inputs": {"item": 3}}, 422, "item"),
        ({"workflow": "quote", "inputs": {}}, 422, "item"),
        ({"workflow": "refund"}, 404, "refund"),
        ({"inputs": {}}, 400, "workflow"),
    ],
)
async def test_a_wrong_wish_is_refused_with_what_is_wrong(tmp_path, body, status, words):
    async with service(tmp_path) as client:
        answer = await client.post("/executions", json=body)
        assert answer.status_code == status
        assert words in answer.json()["error"]
        assert (await client.get("/executions/nowhere")).status_code == 404


async def test_a_failure_says_which_node_and_why(tmp_path):
    async with service(tmp_path) as client:
        answer = await post(client, "quote", item="durian")
        document = await ended(client, answer.json()["id"])
    assert document["phase"] == "FAILED"
    assert (document["error"]["node"], document["error"]["message"]) == ("n0", "there is no durian")


async def test_what_runs_is_aborted_with_a_reason(tmp_path):
    async with service(tmp_path / "home") as client:
        id = (await post(client, "delivery", path=str(tmp_path / "never.csv"))).json()["id"]
        answer = await client.delete(f"/executions/{id}", params={"reason": "the supplier is closed"})
        assert answer.json()["phase"] == "ABORTED"
        assert answer.json()["reason"] == "the supplier is closed"


async def test_events_are_read_from_a_cursor(tmp_path):
    async with service(tmp_path) as client:
        id = (await post(client, "quote", item="pear")).json()["id"]
        whole = sent((await client.get(f"/executions/{id}/events")).text)
        rest = sent((await client.get(f"/executions/{id}/events", headers={"last-event-id": "2"})).text)
    assert [cursor for cursor, _ in whole] == list(range(len(whole)))
    assert rest == whole[3:]
    assert (whole[-1][1]["kind"], whole[-1][1]["phase"]) == ("execution", "SUCCEEDED")


async def test_events_are_sent_while_it_runs(tmp_path):
    file = tmp_path / "delivery.csv"
    async with server(tmp_path / "home") as client:
        id = (await post(client, "delivery", path=str(file))).json()["id"]
        phases = []
        async with client.stream("GET", f"/executions/{id}/events") as response:
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line.removeprefix("data: "))
                phases.append((event["kind"], event["phase"]))
                if phases[-1] == ("attempt", "RUNNING") and not file.exists():
                    file.write_text("pear,7\n")  # only now can it end: so the event came while it ran
        assert phases[-1] == ("execution", "SUCCEEDED")


async def test_an_execution_goes_on_while_the_service_is_restarted(tmp_path):
    file = tmp_path / "delivery.csv"
    async with service(tmp_path / "home") as client:
        id = (await post(client, "delivery", "today", path=str(file))).json()["id"]
    file.write_text("apple,5\n")  # nobody serves now
    async with service(tmp_path / "home") as client:
        again = await post(client, "delivery", "today", path=str(file))
        assert (again.status_code, again.json()["id"]) == (200, id)
        document = await ended(client, id)
        assert (document["phase"], document["outputs"]) == ("SUCCEEDED", {"o0": 5})
        whole = sent((await client.get(f"/executions/{id}/events")).text)
    queued = [(e["node"], e.get("attempt", 0)) for _, e in whole if e["phase"] == "QUEUED"]
    assert sorted(queued) == [("n0", 0), ("n1", 0), ("n2", 0)]  # nothing was begun twice
