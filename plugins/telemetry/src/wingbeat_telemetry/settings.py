"""Settings: the sections ``prometheus`` and ``opentelemetry`` of the configuration."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class PrometheusSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics for Prometheus: off unless there is an address or a file.

    Attributes:
        address: ``host:port`` at which ``/metrics`` is served, for example ``127.0.0.1:9464``; ``:9464`` is the same, this machine
            alone. Port 0 is a free one. Empty serves nothing.

        textfile: File that is written for node_exporter, whole or not at all; relative to the home. Empty writes none.

        textfile_s: Seconds between two writes of that file.

        names_max: So many tasks, and so many workflows, have a name of their own in the labels; the rest are ``other``.
    """

    address: str = ""
    textfile: str = ""
    textfile_s: Seconds = 15.0
    names_max: Count = 200


class OpenTelemetrySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Traces for OpenTelemetry, over OTLP/HTTP. What is empty or absent here is as the standard ``OTEL_*`` variables say.

    Attributes:
        enabled: Whether anything is traced.

        endpoint: URL of the collector, with the path: ``http://127.0.0.1:4318/v1/traces``.

        headers: Headers of every request, for example of a vendor.

        service: Name of the service; ``wingbeat`` by default.

        resource: More attributes of whatever is sent, for example ``deployment.environment.name``.

        sample: Part of the executions that is traced, from 0 to 1. An execution is traced whole, or not at all.

        propagate: Whether the processes of attempts find ``TRACEPARENT``, so that their own spans belong to the trace.

        seed: The ids of traces are made of it and of the execution's id. Empty: of a random one that the home keeps. Kernels that
            share executions need the same.

        queue_max: So many spans wait for the collector; more are dropped, and counted. 10,000 by default.

        delay_s: Seconds after which spans that wait are sent; 1 by default.

        timeout_s: Seconds that the collector has to take them.
    """

    enabled: bool = False
    endpoint: str = ""
    headers: Annotated[dict[str, str], Meta(extra={"secret": True})] = {}
    service: str = ""
    resource: dict[str, str] = {}
    sample: Annotated[float, Meta(ge=0, le=1)] | None = None
    propagate: bool = True
    seed: str = ""
    queue_max: Count | None = None
    delay_s: Seconds | None = None
    timeout_s: Seconds | None = None
