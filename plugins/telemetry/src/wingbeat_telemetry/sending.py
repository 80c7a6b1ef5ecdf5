"""How spans get to the collector: through the library's exporter and its thread, with a bound in front and a count behind."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from wingbeat_telemetry.keep import Mark
from wingbeat_telemetry.settings import OpenTelemetrySettings
from wingbeat_telemetry.tally import Tally

QUEUE_MAX = 10_000
DELAY_S = 1.0
BATCH_MAX = 512
CLOSE_S_MAX = 3.0
GIVE_UP_S_MAX = 0.5

_log = logging.getLogger("wingbeat.plugins")
_exporting = threading.local()


def _not_ours(record: logging.LogRecord) -> bool:
    """The library would tell every failure of every try; `_Counted` tells the first, and the end of it."""
    return not getattr(_exporting, "ours", False)


class _Counted(SpanExporter):
    """The exporter, whose success is counted and marked."""

    def __init__(self, exporter: SpanExporter, tally: Tally, mark: Mark) -> None:
        self._exporter, self._tally, self._mark = exporter, tally, mark
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some. Raises nothing."""
        _exporting.ours = True
        try:
            result, why = self._exporter.export(spans), "the collector did not take them"
        except Exception as error:  # noqa: BLE001  # of a request that the library did not expect to fail
            result, why = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        finally:
            _exporting.ours = False
        if result is SpanExportResult.SUCCESS:
            self._tally.sent += len(spans)
            self._mark.move(max(span.end_time or 0 for span in spans) / 1e9)
            if self._failing:
                _log.warning("The collector takes spans again; %d are lost.", self._tally.failed + self._tally.dropped)
        else:
            self._tally.failed += len(spans)
            if not self._failing:
                _log.warning("%d spans are lost: %s. Others will be tried.", len(spans), why)
        self._failing = result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """Give up what is under way, and all later ones."""
        _exporting.ours = True
        self._exporter.shutdown()
        _exporting.ours = False


class Sender(SpanProcessor):
    """Takes spans that have ended, and sends them from a thread.

    Raises:
        ValueError: A setting, or a variable of the environment, that the library does not take.
    """

    def __init__(self, settings: OpenTelemetrySettings, tally: Tally, mark: Mark) -> None:
        trace_exporter._logger.addFilter(_not_ours)  # noqa: SLF001  # by its name it would be no other
        exporter = trace_exporter.OTLPSpanExporter(
            endpoint=settings.endpoint or None, headers=settings.headers or None, timeout=settings.timeout_s
        )
        queue_max = settings.queue_max or int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or QUEUE_MAX)
        delay_ms = float(os.environ.get("OTEL_BSP_SCHEDULE_DELAY") or DELAY_S * 1000)
        batch_max = int(os.environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") or BATCH_MAX)
        self._tally, self._room = tally, queue_max
        self._exporter = _Counted(exporter, tally, mark)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=queue_max,
            schedule_delay_millis=delay_ms if settings.delay_s is None else settings.delay_s * 1000,
            max_export_batch_size=min(batch_max, queue_max),
        )
        self._full = False

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, if there is room."""
        tally = self._tally
        full = tally.waiting >= self._room
        tally.made += 1
        if not full:
            self._processor.on_end(span)
        else:
            tally.dropped += 1
            if not self._full:
                _log.warning("More than %d spans wait for the collector; more are dropped.", self._room)
        self._full = full

    def close(self) -> None:
        """Send what waits, but not for long."""
        ending = threading.Thread(target=self._processor.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(CLOSE_S_MAX)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(GIVE_UP_S_MAX)
        if lost := self._tally.failed + self._tally.dropped + self._tally.waiting:
            _log.warning("%d of %d spans were not sent.", lost, self._tally.made)
