"""How spans get to the collector: through the library's exporter and its thread, with a bound in front and a count behind."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

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
WHY_CHARS_MAX = 500

_log = logging.getLogger("wingbeat.plugins")
_exporting = threading.local()


def _not_ours(record: logging.LogRecord) -> bool:
    """The library would tell every failure of every try; `_Counted` tells the first, with why, and the end of it."""
    if not getattr(_exporting, "ours", False):
        return True
    _exporting.said[record.getMessage()] = None
    return False


class _Endpoint:
    """Where spans go, as it may be shown: without a password, or a key in its query."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._kept = [part for part in (parts.query, parts.password) if part]
        self._shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))

    def __str__(self) -> str:
        return self._shown

    def masked(self, text: str) -> str:
        """What the library says of it, in one line that is not too long."""
        for part in self._kept:
            text = text.replace(part, "***")
        return " ".join(text.split())[:WHY_CHARS_MAX].rstrip(".")


class _Counted(SpanExporter):
    """The exporter, whose success is counted and marked.

    Attributes:
        why: Why the last spans were lost; empty if none were.

        ending: These are the last: what is lost of them is told with all others.
    """

    def __init__(self, exporter: SpanExporter, endpoint: _Endpoint, tally: Tally, mark: Mark) -> None:
        self._exporter, self._endpoint, self._tally, self._mark = exporter, endpoint, tally, mark
        self._failing, self.why, self.ending = False, "", False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some. Raises nothing."""
        _exporting.ours, _exporting.said = True, {}
        try:
            result = self._exporter.export(spans)
            why = " ".join(_exporting.said) or "the collector did not take them"  # of all tries, each once
        except Exception as error:  # noqa: BLE001  # of a request that the library did not expect to fail
            result, why = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        finally:
            _exporting.ours = False
        if result is SpanExportResult.SUCCESS:
            self._tally.sent += len(spans)
            self._mark.move(max(span.end_time or 0 for span in spans) / 1e9)
            if self._failing:
                lost = self._tally.failed + self._tally.dropped
                _log.warning("The collector %s takes spans again; %d are lost.", self._endpoint, lost)
        else:
            self._tally.failed += len(spans)
            self.why = self._endpoint.masked(why)
            if not self._failing and not self.ending:
                told = "%d spans for %s are lost: %s. Others will be tried."
                _log.warning(told, len(spans), self._endpoint, self.why)
        self._failing = result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """Give up what is under way, and all later ones."""
        _exporting.ours, _exporting.said = True, {}
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
        self._endpoint = _Endpoint(str(getattr(exporter, "_endpoint", settings.endpoint)))  # variables may name it, too
        queue_max = settings.queue_max or int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or QUEUE_MAX)
        delay_ms = float(os.environ.get("OTEL_BSP_SCHEDULE_DELAY") or DELAY_S * 1000)
        batch_max = int(os.environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") or BATCH_MAX)
        self._tally, self._room = tally, queue_max
        self._exporter = _Counted(exporter, self._endpoint, tally, mark)
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
                _log.warning("More than %d spans wait for %s; more are dropped.", self._room, self._endpoint)
        self._full = full

    def close(self) -> None:
        """Send what waits, but not for long."""
        self._exporter.ending = True
        ending = threading.Thread(target=self._processor.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(CLOSE_S_MAX)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(GIVE_UP_S_MAX)
        if lost := self._tally.failed + self._tally.dropped + self._tally.waiting:
            why = self._exporter.why or "it did not answer in time"
            _log.warning("%d of %d spans were not sent to %s: %s.", lost, self._tally.made, self._endpoint, why)
