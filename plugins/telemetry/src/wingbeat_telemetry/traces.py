"""The observer `opentelemetry`: a trace for each execution, a span for each node and each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.observer import MISSED, Published
from wingbeat_telemetry.ids import span_id, trace_id, traceparent
from wingbeat_telemetry.keep import Mark, seed_of
from wingbeat_telemetry.sending import Sender
from wingbeat_telemetry.settings import OpenTelemetrySettings
from wingbeat_telemetry.tally import Tally
from wingbeat_telemetry.track import Ended, Tracker

OVERLAP_S = 0.5
"""Spans are not sent strictly in the order of their ends."""
TEXT_MAX = 8192
TRACES_MAX = 1000
"""Executions of which it is kept whether they are sampled."""
_FAILED = frozenset({"FAILED", "TIMED_OUT", "RETRYABLE_FAILED"})
_OF_EVIDENCE = {"pid": "process.pid", "host": "host.name", "exit_code": "process.exit.code"}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class _Ids(IdGenerator):
    """Gives the ids that are wanted next, in place of random ones."""

    trace = span = 0

    def generate_trace_id(self) -> int:
        """See `IdGenerator`."""
        return self.trace

    def generate_span_id(self) -> int:
        """See `IdGenerator`."""
        return self.span


class OpenTelemetryObserver:
    """Makes spans of what happens, and has them sent: a `wingbeat.contracts.observer.Observer` that propagates.

    Spans are made when they have ended, with ids that follow from names; an attempt knows its own before that
    (`variables`), and a kernel that goes on after a crash adds to the same trace.

    Args:
        home: The home's folder. In ``telemetry`` it keeps what makes its ids its own, and until when spans were sent.
    """

    def __init__(self, settings: OpenTelemetrySettings, home: str, tally: Tally) -> None:
        self._settings, self._home, self._tally = settings, home, tally
        self._tracker, self._ids = Tracker(), _Ids()
        self._seed, self._sent_until = settings.seed, 0.0
        self._traces: dict[str, tuple[int, bool]] = {}
        self._sender: Sender | None = None

    async def start(self) -> None:
        """See `Observer.start`. Raises ConfigurationError for a setting that cannot be."""
        settings, mark = self._settings, Mark(self._home)
        self._sent_until = mark.at - OVERLAP_S
        self._seed = settings.seed or seed_of(self._home)
        try:
            self._sender = Sender(settings, self._tally, mark)
        except ValueError as error:
            raise ConfigurationError(f"Traces cannot be sent with these settings: {error}.") from error
        self._tally.open = True
        sampler = None if settings.sample is None else ParentBased(TraceIdRatioBased(settings.sample))
        self._provider = TracerProvider(sampler, _resource(settings), shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(self._sender)
        self._tracer = self._provider.get_tracer("wingbeat")

    def variables(self, attempt: str) -> Mapping[str, str]:
        """See `Propagates`: the attempt's own span, as the parent of those that its code makes."""
        if not self._settings.propagate:
            return {}
        trace, sampled = self._trace(attempt.partition("/")[0])
        return {"TRACEPARENT": traceparent(trace, span_id(self._seed, attempt), sampled=sampled)}

    async def observe(self, events: list[Published]) -> None:
        """See `Observer.observe`."""
        for event in events:
            if event.kind == MISSED:
                self._tally.missed += event.evidence["events"]
                continue
            for change in self._tracker.take(event):
                if isinstance(change, Ended) and not (change.again and change.ended_at <= self._sent_until):
                    self._span(change)

    async def close(self) -> None:
        """See `Observer.close`."""
        if self._sender is not None:
            try:
                await asyncio.to_thread(self._sender.close)
            finally:
                self._tally.open = False

    def _trace(self, execution: str) -> tuple[int, bool]:
        """The trace of an execution, and whether it is sampled: asked for every attempt, of few executions at a time."""
        found = self._traces.get(execution)
        if found is None:
            trace = trace_id(self._seed, execution)
            decision = self._provider.sampler.should_sample(Context(), trace, execution).decision
            if len(self._traces) >= TRACES_MAX:
                self._traces.clear()
            found = self._traces[execution] = trace, decision is Decision.RECORD_AND_SAMPLE
        return found

    def _span(self, ended: Ended) -> None:
        self._ids.trace, sampled = self._trace(ended.execution)
        if not sampled:
            return
        own, parent = _names(ended)
        self._ids.span = span_id(self._seed, own)
        context = Context()
        if parent:
            context = set_span_in_context(NonRecordingSpan(self._context(parent)), context)
        began = ended.ended_at if ended.began_at is None else ended.began_at
        if ended.kind == "attempt" and ended.began_at is None and ended.queued_at is not None:
            began = ended.queued_at  # its code never ran
        span = self._tracer.start_span(
            ended.name or ended.execution, context, attributes=_attributes(ended), links=self._links(ended),
            start_time=int(began * 1e9),
        )  # fmt: skip
        if ended.phase in _FAILED:
            span.set_status(Status(StatusCode.ERROR, ended.reason[:TEXT_MAX]))
        if ended.error is not None and ended.kind == "attempt":
            span.add_event("exception", _exception(ended.error), int(ended.ended_at * 1e9))
        span.end(int(max(began, ended.ended_at) * 1e9))

    def _links(self, ended: Ended) -> list[Link]:
        """An attempt goes on where an earlier one failed; an execution was launched by a node of another one."""
        links = []
        if ended.earlier >= 0:
            name = f"{ended.execution}/{ended.node}/{ended.earlier}"
            links.append(Link(self._context(name), {"wingbeat.link": "earlier attempt"}))
        if ended.caller:
            links.append(Link(self._context(ended.caller), {"wingbeat.link": "launched by"}))
        return links

    def _context(self, name: str) -> SpanContext:
        trace, _ = self._trace(name.partition("/")[0])
        return SpanContext(trace, span_id(self._seed, name), is_remote=True, trace_flags=_SAMPLED)


def _names(ended: Ended) -> tuple[str, str]:
    """By which names the ids of a span and of its parent are made."""
    if ended.kind == "execution":
        return ended.execution, ""
    node = f"{ended.execution}/{ended.node}"
    if ended.kind == "attempt":
        return f"{node}/{ended.attempt}", node
    return node, f"{ended.execution}/{ended.parent}" if ended.parent else ended.execution


def _attributes(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = {"wingbeat.execution.id": ended.execution, "wingbeat.phase": ended.phase}
    found["wingbeat.workflow" if ended.kind == "execution" else "wingbeat.task"] = ended.name
    if ended.node:
        found["wingbeat.node.id"] = ended.node
    if ended.kind == "attempt":
        found["wingbeat.attempt.number"] = ended.attempt
        if ended.queued_at is not None and ended.began_at is not None:
            found["wingbeat.attempt.queue_seconds"] = ended.began_at - ended.queued_at
        evidence = ended.evidence | ((ended.error or {}).get("evidence") or {})
        found |= {name: evidence[key] for key, name in _OF_EVIDENCE.items() if isinstance(evidence.get(key), str | int)}
    if ended.cache:
        found["wingbeat.cache"] = ended.cache
    if ended.reason:
        found["wingbeat.reason"] = ended.reason[:TEXT_MAX]
    if ended.error is not None:
        found["error.type"] = ended.error["code"]
    return found


def _exception(error: Mapping[str, Any]) -> dict[str, str]:
    found = {"exception.type": error["code"], "exception.message": error["message"][:TEXT_MAX]}
    if error.get("trace"):
        found["exception.stacktrace"] = error["trace"][-TEXT_MAX:]
    return found


def _resource(settings: OpenTelemetrySettings) -> Resource:
    """Who sends: as the settings say, else as the standard variables do."""
    found = Resource.create()
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: "wingbeat"}))
    named = {SERVICE_NAME: settings.service} if settings.service else {}
    return found.merge(Resource({**settings.resource, **named}))
