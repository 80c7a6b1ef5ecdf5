"""What the kits have to know to test the observers: `wingbeat plugins check telemetry` runs them, and so do the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wingbeat.contracts.observer import Observer
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.home import TemporaryHome
from wingbeat_telemetry.prometheus import PrometheusObserver
from wingbeat_telemetry.settings import OpenTelemetrySettings, PrometheusSettings
from wingbeat_telemetry.tally import Tally
from wingbeat_telemetry.traces import OpenTelemetryObserver


class TestPrometheus(ObserverContract):
    """Metrics, over HTTP and in a file."""

    load = 100

    def make(self, home: TemporaryHome) -> Observer:
        """At a free port of this machine."""
        return PrometheusObserver(PrometheusSettings("127.0.0.1:0", "metrics.prom"), home.path, Tally())


class _Collector(BaseHTTPRequestHandler):
    """Takes whatever is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class TestOpenTelemetry(ObserverContract):
    """Traces, to a collector."""

    load = 100

    @pytest.fixture(autouse=True)
    def _collector(self) -> Iterator[None]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
            self.endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield
            server.shutdown()
            thread.join()

    def make(self, home: TemporaryHome) -> Observer:
        """With a collector of the kit's own."""
        settings = OpenTelemetrySettings(enabled=True, endpoint=self.endpoint, delay_s=0.1)
        return OpenTelemetryObserver(settings, home.path, Tally())
