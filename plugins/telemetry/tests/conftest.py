"""A collector as there are many: it takes OTLP over HTTP, and can be broken."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def attributes(owner: Any) -> dict[str, Any]:
    return {each.key: plain(each.value) for each in owner.attributes}


class Collector:
    """Attributes: spans: What it got, in that order. behaviour: ``take``, ``refuse`` (500), or ``hang``."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.behaviour, self.asked, self.released = "take", 0, threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked += 1
                if collector.behaviour == "hang":
                    collector.released.wait(60)
                    return
                if collector.behaviour == "take":
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    collector.take(body, dict(self.headers))
                self.send_response(200 if collector.behaviour == "take" else 500)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.headers.append(headers)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        SimpleNamespace(
                            name=span.name, trace=span.trace_id.hex(), id=span.span_id.hex(),
                            parent=span.parent_span_id.hex(), start=span.start_time_unix_nano / 1e9,
                            end=span.end_time_unix_nano / 1e9, attributes=attributes(span), status=span.status,
                            events=[(event.name, attributes(event)) for event in span.events],
                            links=[(link.trace_id.hex(), link.span_id.hex(), attributes(link)) for link in span.links],
                            resource=attributes(resource.resource), scope=scope.scope.name,
                        )
                    )  # fmt: skip

    def by_name(self, kind: str = "") -> dict[str, Any]:
        """Spans by what they are of, as ``execution/node/attempt``."""
        found = {}
        for span in self.spans:
            given = span.attributes
            parts = (
                given["wingbeat.execution.id"],
                given.get("wingbeat.node.id"),
                given.get("wingbeat.attempt.number"),
            )
            found["/".join(str(part) for part in parts if part is not None)] = span
        return found

    def until(self, condition: Any) -> None:
        for _ in range(4000):
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError(f"it did not come true; got {[span.name for span in self.spans]}")

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the machine says of collectors."""
    import os

    for name in [*os.environ]:
        if name.startswith(("OTEL_", "WINGBEAT_", "TRACEPARENT")):
            monkeypatch.delenv(name)
