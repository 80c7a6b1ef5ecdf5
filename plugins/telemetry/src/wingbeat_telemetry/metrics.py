"""The metrics, and what each change does to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.observer import MISSED, Published
from wingbeat.spec.phase import CacheStatus
from wingbeat_telemetry.tally import Tally
from wingbeat_telemetry.track import Began, Change, Ended

OTHER = "other"
HIT = CacheStatus.HIT
"""What was taken from the catalog is told by the node's end alone."""
QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
LONG_S = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)


class Names:
    """Names that may be a label's value: the first so many; a label has as many time series as it has values.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most, self._known = most, set[str]()

    def __call__(self, name: str) -> str:
        """The name, or that it is one of the others."""
        if name in self._known:
            return name
        if not name or len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


class Metrics:
    """All metrics of one kernel.

    Args:
        names_max: So many tasks and workflows have a name of their own.
    """

    def __init__(self, names_max: int, tally: Tally) -> None:
        self.registry = CollectorRegistry()
        self._task, self._workflow = Names(names_max), Names(names_max)
        self._children: dict[tuple[Any, ...], Any] = {}
        self._started = self._counter("executions_started", "Executions that began", "workflow")
        self._ended = self._counter("executions_ended", "Executions that are over", "workflow", "phase")
        self._running = self._gauge("executions_running", "Executions that are under way", "workflow")
        self._execution_s = self._histogram("execution_seconds", "From begin to end", LONG_S, "workflow", "phase")
        self._nodes = self._counter("nodes_ended", "Nodes that are over", "task", "phase")
        self._node_s = self._histogram(
            "node_seconds", "From the first attempt's being queued to the node's end", QUICK_S, "task", "phase"
        )
        self._attempts_running = self._gauge("attempts_running", "Attempts whose code is running", "task")
        self._attempt_s = self._histogram("attempt_seconds", "How long the code ran", QUICK_S, "task", "phase")
        self._queue_s = self._histogram("attempt_queue_seconds", "How long attempts waited to run", QUICK_S, "task")
        self._retries = self._counter("retries", "Attempts that failed and are followed by another", "task", "kind")
        self._cache = self._counter("cache", "What the catalog said of nodes", "task", "status")
        self._items = self._counter("map_items", "Items of the maps that began", "task")
        self._items_ended = self._counter("map_items_ended", "Items of maps that are over", "task", "phase")
        self._missed = self._counter("events_missed", "Events that the metrics were not told")
        self.registry.register(_OfSpans(tally))

    def take(self, event: Published, changes: Sequence[Change]) -> None:
        """Count an event and what came of it."""
        if event.kind == MISSED:
            self._missed.inc(event.evidence["events"])
        elif not event.again and (event.kind == "cache" or event.cache == HIT):
            self._of(self._cache, self._task(event.task), event.cache).inc()
        elif not event.again and event.kind == "node" and "items" in event.evidence:
            self._of(self._items, self._task(event.task)).inc(event.evidence["items"])
        for change in changes:
            if isinstance(change, Began):
                self._begin(change)
            else:
                self._end(change)

    def _begin(self, began: Began) -> None:
        if began.kind == "execution":
            workflow = self._workflow(began.name)
            self._of(self._running, workflow).inc()
            if not began.again:
                self._of(self._started, workflow).inc()
            return
        task = self._task(began.name)
        self._of(self._attempts_running, task).inc()
        if not began.again:
            self._of(self._queue_s, task).observe(began.queued_s)

    def _end(self, ended: Ended) -> None:
        took = None if ended.began_at is None else ended.ended_at - ended.began_at
        if ended.kind == "execution":
            workflow = self._workflow(ended.name)
            self._of(self._ended, workflow, ended.phase).inc()
            if took is not None:
                self._of(self._running, workflow).dec()
                self._of(self._execution_s, workflow, ended.phase).observe(took)
            return
        task = self._task(ended.name)
        if ended.kind == "attempt" and took is not None:
            self._of(self._attempts_running, task).dec()
        if ended.again:
            return
        if ended.item:
            self._of(self._items_ended, task, ended.phase).inc()
            return
        if ended.kind == "node":
            self._of(self._nodes, task, ended.phase).inc()
            if took is not None:
                self._of(self._node_s, task, ended.phase).observe(took)
            return
        if took is not None:
            self._of(self._attempt_s, task, ended.phase).observe(took)
        if ended.phase == "RETRYABLE_FAILED":
            self._of(self._retries, task, (ended.error or {}).get("kind", ErrorKind.USER)).inc()

    def _of(self, metric: Any, *values: str) -> Any:
        """One time series. The library's own way to it takes longer than to count."""
        key = (metric, *values)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*values)
        return child

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"wingbeat_{name}", f"{text}.", labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"wingbeat_{name}", f"{text}.", labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"wingbeat_{name}", f"{text}.", labels, buckets=buckets, registry=self.registry)


class _OfSpans(Collector):
    """What the observer of traces counts; nothing if there is none."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        spans = CounterMetricFamily(
            "wingbeat_spans", "Spans, by what became of them: sent, failed, dropped.", labels=["fate"]
        )
        for fate in ("sent", "failed", "dropped"):
            spans.add_metric([fate], getattr(tally, fate))
        yield spans
        yield GaugeMetricFamily("wingbeat_spans_waiting", "Spans that are still to be sent.", tally.waiting)
        yield CounterMetricFamily("wingbeat_trace_events_missed", "Events that the traces were not told.", tally.missed)
