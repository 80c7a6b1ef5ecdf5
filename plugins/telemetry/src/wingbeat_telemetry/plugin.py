"""What is offered to the kernel: the hook implementations."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat_telemetry.settings import OpenTelemetrySettings, PrometheusSettings
from wingbeat_telemetry.tally import Tally

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar
    from wingbeat.contracts.observer import Observer


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts; a section for each observer."""
    return PluginInfo(
        api=(0, 1),
        settings={"prometheus": PrometheusSettings, "opentelemetry": OpenTelemetrySettings},
        kits=("wingbeat_telemetry.kits:TestPrometheus", "wingbeat_telemetry.kits:TestOpenTelemetry"),
    )


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer both observers. What one of them counts of spans, the other one tells."""
    tally = Tally()
    registrar.observer("prometheus", partial(_prometheus, tally))
    registrar.observer("opentelemetry", partial(_opentelemetry, tally))


def _prometheus(tally: Tally, home: Home) -> Observer | None:
    settings = home.settings("prometheus", PrometheusSettings)
    if not settings.address and not settings.textfile:
        return None
    from wingbeat_telemetry.prometheus import PrometheusObserver  # what is off loads no library

    return PrometheusObserver(settings, home.path, tally)


def _opentelemetry(tally: Tally, home: Home) -> Observer | None:
    settings = home.settings("opentelemetry", OpenTelemetrySettings)
    if not settings.enabled or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    from wingbeat_telemetry.traces import OpenTelemetryObserver

    return OpenTelemetryObserver(settings, home.path, tally)
