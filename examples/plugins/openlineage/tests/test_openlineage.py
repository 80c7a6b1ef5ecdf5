"""The kits, and what a receiver is told."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from receiver import Receiver

from acme_openlineage import plugin
from acme_openlineage.events import run_event
from wingbeat.contracts.observer import Published
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.conformance.plugin import PluginContract

FACET: dict[str, Any] = {
    "type": "object",
    "properties": {"_producer": {"type": "string", "format": "uri"}, "_schemaURL": {"type": "string", "format": "uri"}},
    "required": ["_producer", "_schemaURL"],
}
RUN_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "run": {
            "type": "object",
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {"type": "object", "additionalProperties": FACET},
            },
            "required": ["runId"],
        },
        "job": {
            "type": "object",
            "properties": {"namespace": {"type": "string"}, "name": {"type": "string", "minLength": 1}},
            "required": ["namespace", "name"],
        },
    },
    "required": ["eventTime", "producer", "run", "job", "schemaURL"],
}
"""What the standard asks of a run event, as far as it is about what is sent here."""


class TestObserver(ObserverContract):
    @pytest.fixture(autouse=True)
    def receiver(self):
        self.server = Receiver()
        self.settings = {"openlineage": {"url": self.server.url}}
        yield
        self.server.close()

    def make(self, home):
        return plugin.make(home)

    def told(self, home, observer):
        facets = [event["run"]["facets"]["wingbeat"] for event in self.server.events]
        return [(facet["execution"], facet["cursor"]) for facet in facets]


class TestPlugin(PluginContract):
    module = "acme_openlineage.plugin"
    name = "openlineage"


async def sent(url: str, *events: Published) -> None:
    from acme_openlineage.observer import OpenLineageObserver
    from acme_openlineage.settings import OpenLineageSettings

    observer = OpenLineageObserver(OpenLineageSettings(url=url))
    await observer.start()
    await observer.observe(list(events))
    await observer.close()


@pytest.mark.anyio
async def test_what_is_sent_is_a_run_event():
    server = Receiver()
    error = {"code": "ValueError", "message": "no", "kind": "USER", "retryable": True}
    await sent(
        server.url,
        Published("x", 0, 1e9, "execution", "RUNNING"),
        Published("x", 1, 1e9, "attempt", "QUEUED", "n0", task="m.f"),
        Published("x", 2, 1e9, "attempt", "RUNNING", "n0"),
        Published("x", 3, 1e9, "attempt", "FAILED", "n0", reason="no", error=error),
        Published("x", 4, 1e9, "execution", "FAILED", error=error),
    )
    server.close()
    for event in server.events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    assert [event["eventType"] for event in server.events] == ["START", "OTHER", "START", "FAIL", "FAIL"]
    assert [event["job"]["name"] for event in server.events] == ["x", "m.f", "m.f", "m.f", "x"]
    assert server.events[3]["run"]["facets"]["parent"]["run"]["runId"] == server.events[0]["run"]["runId"]


@pytest.mark.anyio
async def test_a_server_that_is_gone_holds_nobody_up():
    server = Receiver()
    server.close()
    await sent(server.url, Published("x", 0, 1e9, "execution", "RUNNING"))


def test_attempts_have_runs_of_their_own():
    runs = [
        run_event(Published("x", 0, 0.0, "attempt", "RUNNING", "n0", number), "here", "m.f").run.runId
        for number in (0, 1, 0)
    ]
    assert runs[0] == runs[2] != runs[1]


@pytest.fixture
def anyio_backend():
    return "asyncio"
