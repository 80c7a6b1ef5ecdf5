"""The traces, as a collector gets them."""

import asyncio
import time

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.observer import Published
from wingbeat_telemetry import sending
from wingbeat_telemetry.ids import span_id, trace_id, traceparent
from wingbeat_telemetry.settings import OpenTelemetrySettings
from wingbeat_telemetry.tally import Tally
from wingbeat_telemetry.traces import OpenTelemetryObserver

ERROR = {"code": "ValueError", "message": "not yet", "kind": "USER", "trace": "line 1", "evidence": {"exit_code": 1}}


def event(kind, phase, at, node="", attempt=0, execution="e1", **more):
    return Published(execution, 0, at, kind, phase, node, attempt, **{"task": f"of {node}" if node else "flow", **more})


def events(execution="e1", **more):
    given = {"execution": execution, **more}
    return [
        event("execution", "RUNNING", 1.0, **given),
        event("attempt", "QUEUED", 1.0, "n0", 0, **given),
        event("attempt", "RUNNING", 1.5, "n0", 0, evidence={"pid": 77}, **given),
        event("attempt", "RETRYABLE_FAILED", 2.0, "n0", 0, reason="not yet", error=ERROR, **given),
        event("attempt", "QUEUED", 3.0, "n0", 1, **given),
        event("attempt", "RUNNING", 3.5, "n0", 1, **given),
        event("node", "SUCCEEDED", 5.5, "n0", 1, **given),
        event("execution", "SUCCEEDED", 6.0, **given),
    ]


def observer_at(tmp_path, endpoint="", tally=None, **settings):
    given = OpenTelemetrySettings(enabled=True, endpoint=endpoint, **{"delay_s": 0.05, **settings})
    return OpenTelemetryObserver(given, str(tmp_path), tally or Tally())


async def sent(tmp_path, collector, *batches, **settings):
    observer = observer_at(tmp_path, collector.endpoint, **settings)
    await observer.start()
    for batch in batches:
        await observer.observe(batch)
    await observer.close()
    return observer


async def test_an_execution_is_a_trace_with_a_span_for_each_node_and_attempt(tmp_path, collector):
    await sent(tmp_path, collector, events(), seed="s", resource={"deployment.environment.name": "test"})
    spans = collector.by_name()
    assert set(spans) == {"e1", "e1/n0", "e1/n0/0", "e1/n0/1"}
    assert {span.trace for span in spans.values()} == {f"{trace_id('s', 'e1'):032x}"}
    assert {name: span.id for name, span in spans.items()} == {name: f"{span_id('s', name):016x}" for name in spans}
    ids = {name: span.id for name, span in spans.items()}
    assert {name: span.parent for name, span in spans.items()} == {
        "e1": "", "e1/n0": ids["e1"], "e1/n0/0": ids["e1/n0"], "e1/n0/1": ids["e1/n0"],
    }  # fmt: skip
    assert {name: (span.name, span.start, span.end) for name, span in spans.items()} == {
        "e1": ("flow", 1.0, 6.0),
        "e1/n0": ("of n0", 1.0, 5.5),
        "e1/n0/0": ("of n0", 1.5, 2.0),
        "e1/n0/1": ("of n0", 3.5, 5.5),
    }
    failed = spans["e1/n0/0"]
    assert (failed.status.code, failed.status.message) == (2, "not yet")
    assert failed.events == [
        (
            "exception",
            {"exception.type": "ValueError", "exception.message": "not yet", "exception.stacktrace": "line 1"},
        )
    ]
    assert failed.attributes == {
        "wingbeat.execution.id": "e1", "wingbeat.node.id": "n0", "wingbeat.attempt.number": 0, "wingbeat.task": "of n0",
        "wingbeat.phase": "RETRYABLE_FAILED", "wingbeat.reason": "not yet", "wingbeat.attempt.queue_seconds": 0.5,
        "error.type": "ValueError", "process.pid": 77, "process.exit.code": 1,
    }  # fmt: skip
    assert [spans[name].status.code for name in ("e1", "e1/n0", "e1/n0/1")] == [0, 0, 0]
    assert spans["e1/n0/1"].links == [(failed.trace, failed.id, {"wingbeat.link": "earlier attempt"})]
    assert failed.links == spans["e1"].links == []
    assert failed.resource["service.name"] == "wingbeat"
    assert failed.resource["deployment.environment.name"] == "test"
    assert failed.scope == "wingbeat"


async def test_a_child_execution_is_a_trace_of_its_own_that_knows_its_caller(tmp_path, collector):
    parent = [
        event("execution", "RUNNING", 1.0),
        event("node", "RUNNING", 1.0, "n0", evidence={"child": "c"}),
    ]
    child = [
        event("execution", "RUNNING", 1.5, execution="c"),
        event("execution", "FAILED", 2, execution="c", reason="no"),
    ]
    rest = [event("node", "FAILED", 2.5, "n0"), event("execution", "FAILED", 3.0)]
    await sent(tmp_path, collector, parent, child, rest)
    spans = collector.by_name()
    assert spans["c"].trace != spans["e1"].trace
    assert spans["c"].links == [(spans["e1"].trace, spans["e1/n0"].id, {"wingbeat.link": "launched by"})]


def test_what_an_attempt_is_told_is_its_span_as_the_w3c_writes_it():
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    own = trace_id("s", "e1"), span_id("s", "e1/n0/0")
    text = traceparent(*own, sampled=True)
    context = trace.get_current_span(TraceContextTextMapPropagator().extract({"traceparent": text})).get_span_context()
    assert (context.trace_id, context.span_id) == own
    assert context.trace_flags.sampled
    assert traceparent(*own, sampled=False).endswith("-00")


async def test_a_home_keeps_its_seed_and_another_one_has_another(tmp_path, collector):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    told = []
    for home in ("a", "a", "b"):
        observer = await sent(tmp_path / home, collector)
        told.append(observer.variables("e1/n0/0")["TRACEPARENT"])
    assert told[0] == told[1] != told[2]


async def test_an_execution_is_traced_whole_or_not_at_all_and_its_attempts_know(tmp_path, collector):
    observer = observer_at(tmp_path, collector.endpoint, sample=0.3, seed="s")
    await observer.start()
    for number in range(200):
        await observer.observe(events(f"e{number}"))
    flags = {n: observer.variables(f"e{n}/n0/0")["TRACEPARENT"][-2:] for n in range(200)}
    await observer.close()
    counts = [sum(span.attributes["wingbeat.execution.id"] == f"e{n}" for span in collector.spans) for n in range(200)]
    assert [flags[n] for n in range(200)] == ["01" if count else "00" for count in counts]
    assert set(counts) == {0, 4}
    assert 20 < counts.count(4) < 100


async def test_the_standard_variables_hold(tmp_path, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.removesuffix("/v1/traces"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=prices")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pricing")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    observer = observer_at(tmp_path)
    await observer.start()
    await observer.observe(events())
    assert observer.variables("e1/n0/0")["TRACEPARENT"].endswith("-00")
    await observer.close()
    assert collector.spans == []
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    observer = observer_at(tmp_path)
    await observer.start()
    await observer.observe(events())
    await observer.close()
    assert len(collector.spans) == 4
    assert (collector.spans[0].resource["service.name"], collector.spans[0].resource["team"]) == ("pricing", "a")
    assert collector.headers[0]["x-team"] == "prices"
    assert collector.headers[0]["Content-Encoding"] == "gzip"


async def test_nothing_is_propagated_if_it_is_not_to_be(tmp_path, collector):
    observer = await sent(tmp_path, collector, propagate=False)
    assert observer.variables("e1/n0/0") == {}


async def test_after_a_restart_what_was_not_sent_is_sent_and_what_was_is_not(tmp_path, collector):
    """The first kernel sends what had ended by 2.0 and is killed; the second is told all of it again."""
    first = observer_at(tmp_path, collector.endpoint)
    await first.start()
    await first.observe(events()[:4])
    collector.until(lambda: len(collector.spans) == 1)
    collector.until(lambda: first._tally.sent == 1)
    again = [
        *events(again=True)[:6],
        event("attempt", "QUEUED", 2.0, "n1", 0, again=True),
        event("attempt", "RUNNING", 2.0, "n1", 0, again=True),
        event("node", "SUCCEEDED", 4.0, "n1", 0, again=True),
    ]
    await sent(tmp_path, collector, again, events()[6:])
    names = [
        (span.attributes.get("wingbeat.node.id"), span.attributes.get("wingbeat.attempt.number"))
        for span in collector.spans
    ]
    within = [each for each in names if each == ("n0", 0)]  # ended within the time that is sent twice, to be sure
    assert len(within) == 2
    assert sorted(map(str, names)) == sorted(
        map(str, [*within, ("n1", 0), ("n1", None), ("n0", 1), ("n0", None), (None, None)])
    )
    assert len({span.id for span in collector.spans}) == len(names) - 1
    assert collector.by_name()["e1"].start == 1.0
    await sent(tmp_path, collector, again)
    assert len(collector.spans) == len(names)
    await first.close()


# -- collectors that fail


async def test_a_collector_that_is_not_there_or_fails_loses_spans_and_no_more(tmp_path, collector, caplog):
    tally = Tally()
    collector.behaviour = "refuse"
    observer = observer_at(tmp_path, collector.endpoint, tally, timeout_s=0.2)
    await observer.start()
    await observer.observe(events())
    collector.until(lambda: tally.failed == 4)
    await observer.observe(events("e2"))
    collector.until(lambda: tally.failed == 8)
    collector.behaviour = "take"
    await observer.observe(events("e3"))
    collector.until(lambda: tally.sent == 4)
    await observer.close()
    assert {span.attributes["wingbeat.execution.id"] for span in collector.spans} == {"e3"}
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3, told
    assert f"spans for {collector.endpoint} are lost: " in told[0]
    assert "500" in told[0] or "Internal Server Error" in told[0], "the reason is told"
    assert told[1] == f"The collector {collector.endpoint} takes spans again; 8 are lost."
    assert told[2].startswith(f"8 of 12 spans were not sent to {collector.endpoint}: ")


async def test_a_collector_that_refuses_connections_loses_spans_and_no_more(tmp_path, collector, caplog):
    tally = Tally()
    collector.close()
    collector.endpoint = collector.endpoint.replace("http://", "http://me:secret@") + "?key=secret"
    await sent(tmp_path, collector, events(), tally=tally, timeout_s=2)
    assert "refused" in caplog.text.lower()
    assert not tally.open
    assert len(caplog.records) == 1, "what is lost at the close is told once"
    assert "secret" not in caplog.text
    assert (tally.made, tally.failed, tally.waiting) == (4, 4, 0)


async def test_a_collector_that_hangs_holds_nobody_up_and_its_queue_is_bounded(
    tmp_path, collector, monkeypatch, caplog
):
    monkeypatch.setattr(sending, "CLOSE_S_MAX", 0.2)
    tally = Tally()
    collector.behaviour = "hang"
    observer = observer_at(tmp_path, collector.endpoint, tally, queue_max=600, timeout_s=30)
    await observer.start()
    began = time.monotonic()
    for number in range(10_000):
        await observer.observe(events(f"e{number}"))
    assert (tally.made, tally.sent, tally.failed) == (40_000, 0, 0)
    assert tally.waiting == 600
    assert tally.dropped == 39_400
    assert len(observer._sender._processor._batch_processor._queue) <= 600
    assert (len(observer._tracker._executions), observer._tracker._nodes) == (0, 0)
    took = time.monotonic() - began
    async with asyncio.timeout(30):  # far below what the collector has
        await observer.close()
    assert f"More than 600 spans wait for {collector.endpoint}; more are dropped." in caplog.text
    assert caplog.text.count("are dropped") == 1
    assert f"40000 of 40000 spans were not sent to {collector.endpoint}: " in caplog.text
    assert took < 60


async def test_what_waits_is_sent_at_the_close(tmp_path, collector):
    tally = Tally()
    await sent(tmp_path, collector, *(events(f"e{n}") for n in range(1000)), tally=tally, delay_s=3600)
    assert len(collector.spans) == tally.sent == 4000
    assert len({span.id for span in collector.spans}) == 4000


async def test_a_setting_that_cannot_be_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "many")
    with pytest.raises(ConfigurationError, match="Traces cannot be sent with these settings: .*many"):
        await observer_at(tmp_path).start()
