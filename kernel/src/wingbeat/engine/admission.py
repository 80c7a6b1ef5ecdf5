"""Limits of executions in the engine: which a launch is under, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from wingbeat.contracts.engine import LaunchRequest
from wingbeat.contracts.journal import Record
from wingbeat.engine.archive import LIMIT
from wingbeat.engine.children import PARENT
from wingbeat.engine.clock import Clock
from wingbeat.engine.limits import Limits
from wingbeat.engine.live import Live
from wingbeat.machine.event import AbortAsked, Admitted, Event, Launched
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import ExecutionPhase

SKIPPED = "Skipped"
"""Code of an execution that ended at once, because its limit was reached."""
_STARTING = (ExecutionPhase.QUEUED, ExecutionPhase.RUNNING)


class Admission:
    """Lets executions begin as far as their limits allow.

    Args:
        lives: Executions under way, by id.

        quarantined: Those that cannot go on, by id. One that had begun keeps its slot: nobody knows that it has ended.

        post: Takes an event.
    """

    def __init__(
        self,
        lives: Mapping[str, Live],
        quarantined: Mapping[str, str],
        clock: Clock,
        post: Callable[[Live, Event], None],
    ) -> None:
        self._lives, self._quarantined, self._clock, self._post = lives, quarantined, clock, post
        self._limits = Limits(self)

    def arrive(
        self, name: str, request: LaunchRequest, launched: Launched
    ) -> tuple[Event, ExecutionPhase, dict[str, str]]:
        """An execution is to be launched: with which event, phase and labels.

        Raises:
            LimitReached: It is not.
        """
        spec = request.concurrency or request.closure.workflow.concurrency
        if spec is None:
            return launched, ExecutionPhase.RUNNING, {}
        spec = msgspec.structs.replace(spec, priority=spec.priority + request.priority)
        labels = {LIMIT: spec.name}
        arrival = self._limits.arrive(name, spec, _parent(request.labels), launched.at)
        if arrival.begins:
            return launched, ExecutionPhase.RUNNING, labels
        if arrival.skipped:
            error = ErrorInfo(SKIPPED, arrival.skipped, retryable=False)
            return AbortAsked(launched.at, arrival.skipped, error), ExecutionPhase.QUEUED, labels
        return msgspec.structs.replace(launched, at=arrival.since, queued=spec), ExecutionPhase.QUEUED, labels

    def launched(self, execution: str) -> None:
        """The first event of an execution is posted."""
        self._limits.launched(execution)

    def set_aside(self, record: Record) -> None:
        """An execution was found that cannot go on, for now or at all."""
        name = None if record.damaged else record.labels.get(LIMIT)
        if name is not None and record.phase != ExecutionPhase.QUEUED:
            self._limits.adopt(record.execution, name, None, "")

    def adopt(self, lives: Iterable[Live]) -> None:
        """Take up what was read at a start or later, the oldest first, and go on."""
        for live in lives:
            if (name := live.record.labels.get(LIMIT)) is not None:
                lined = live.machine.state.lined
                waits = None if lined is None else (lined.limit, lined.at)
                self._limits.adopt(live.id, name, waits, self.parent(live.id))
        self._limits.settle()

    def ended(self, execution: str) -> None:
        """The end of an execution is durable."""
        self._limits.ended(execution)

    def told(self, execution: str) -> str:
        """For what an execution waits; empty if it does not."""
        return self._limits.told(execution)

    # -- engine.limits.Executions

    def parent(self, execution: str) -> str:
        """See `Executions.parent`."""
        live = self._lives.get(execution)
        return "" if live is None else _parent(live.record.labels)

    def ending(self, execution: str) -> bool:
        """See `Executions.ending`."""
        live = self._lives.get(execution)
        return live is not None and live.machine.state.phase not in _STARTING

    def stuck(self, execution: str) -> bool:
        """See `Executions.stuck`."""
        return execution in self._quarantined

    def admit(self, execution: str) -> None:
        """See `Executions.admit`."""
        if (live := self._lives.get(execution)) is not None:
            self._post(live, Admitted(self._clock.now()))

    def stop(self, execution: str, reason: str) -> None:
        """See `Executions.stop`."""
        if (live := self._lives.get(execution)) is not None:
            self._post(live, AbortAsked(self._clock.now(), reason))


def _parent(labels: Mapping[str, str]) -> str:
    return labels.get(PARENT, "").partition("/")[0]
