"""Limits of executions in the engine: which a launch is under, and what it becomes.

An execution may be under two: the quota of its place, and then a limit of its own. It takes its turn in the place first. So who
has a slot of a limit never waits for a place, and nobody can wait in a circle: children, for which others wait, are under no quota.
That it has its turn in the place is not written down: until it begins, nothing follows from it, and after a restart it lines up
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from wingbeat.base.errors import LimitReached
from wingbeat.contracts.engine import LaunchRequest, Quota
from wingbeat.contracts.journal import Record
from wingbeat.engine.archive import LIMIT
from wingbeat.engine.asked import quota_of
from wingbeat.engine.children import PARENT
from wingbeat.engine.clock import Clock
from wingbeat.engine.limits import Arrival, Limits
from wingbeat.engine.live import Live
from wingbeat.machine.event import AbortAsked, Admitted, Event, Launched
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.labels import place_of, within
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import ExecutionPhase

SKIPPED = "Skipped"
"""Code of an execution that ended at once, because its limit was reached."""
_QUOTA = "quota of "
"""Names of the limits of places begin so."""
_NO_LIMIT = 2**62
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
        self._places = Limits(_Places(self))
        self._next: dict[str, ConcurrencySpec] = {}  # of those that wait in their place: the limit that comes then

    def arrive(
        self, name: str, request: LaunchRequest, launched: Launched
    ) -> tuple[Event, ExecutionPhase, dict[str, str]]:
        """An execution is to be launched: with which event, phase and labels.

        Raises:
            LimitReached: It is not.
        """
        own, place = _own(request), _place(request.quota, request.labels, request.priority)
        labels = {} if own is None else {LIMIT: own.name}
        waits = None if place is None else self._in_place(name, place, launched.at)
        if own is None and waits is None:
            return launched, ExecutionPhase.RUNNING, labels
        if own is not None and (waits is None or own.on_limit in ("skip", "fail")):
            arrival = self._arrive(name, request, own, launched.at)
            if arrival.skipped:
                self._places.ended(name)
                error = ErrorInfo(SKIPPED, arrival.skipped, retryable=False)
                return AbortAsked(launched.at, arrival.skipped, error), ExecutionPhase.QUEUED, labels
            if waits is None:
                if arrival.begins:
                    return launched, ExecutionPhase.RUNNING, labels
                return replace(launched, at=arrival.since, queued=own), ExecutionPhase.QUEUED, labels
            # There is room, and it has not its turn in the place: later it waits for this, too.
            self._limits.ended(name)
        if own is not None:
            self._next[name] = own
        assert waits is not None
        return replace(launched, at=waits, queued=own or place), ExecutionPhase.QUEUED, labels

    def _in_place(self, name: str, place: ConcurrencySpec, at: float) -> float | None:
        """Since when it waits for its turn in its place; None if it does not."""
        self._places.change(place.name, place.limit)
        arrival = self._places.arrive(name, place, "", at)
        return None if arrival.begins else arrival.since

    def _arrive(self, name: str, request: LaunchRequest, own: ConcurrencySpec, at: float) -> Arrival:
        try:
            return self._limits.arrive(name, own, _parent(request.labels), at)
        except LimitReached:
            self._places.ended(name)
            raise

    def launched(self, execution: str) -> None:
        """The first event of an execution is posted."""
        self._limits.launched(execution)

    def set_aside(self, record: Record) -> None:
        """An execution was found that cannot go on, for now or at all."""
        if record.damaged or record.phase == ExecutionPhase.QUEUED:
            return
        if (place := _place(quota_of(record.labels), record.labels)) is not None:
            self._places.adopt(record.execution, place.name, None, "")
        if (name := record.labels.get(LIMIT)) is not None:
            self._limits.adopt(record.execution, _scoped(record.labels, name), None, "")

    def adopt(self, lives: Iterable[Live]) -> None:
        """Take up what was read at a start or later, the oldest first, and go on."""
        newest: dict[str, int] = {}
        for live in lives:
            labels, lined = live.record.labels, live.machine.state.lined
            own = None if lined is None else replace(lined.limit, name=_scoped(labels, lined.limit.name))
            waits = None if own is None or lined is None else (own, lined.at)
            place = _place(quota_of(labels), labels, 0 if lined is None else lined.limit.priority)
            if place is not None:
                newest[place.name] = place.limit
                self._places.adopt(live.id, place.name, None if lined is None else (place, lined.at), "")
                if lined is not None:
                    if LIMIT in labels and own is not None:
                        self._next[live.id] = own
                    continue
            if (name := labels.get(LIMIT)) is not None:
                self._limits.adopt(live.id, _scoped(labels, name), waits, self.parent(live.id))
        self._limits.settle()
        for name, limit in newest.items():
            self._places.change(name, limit)
        self._places.settle()

    def ended(self, execution: str) -> None:
        """The end of an execution is durable."""
        self._next.pop(execution, None)
        self._limits.ended(execution)
        self._places.ended(execution)

    def told(self, execution: str) -> str:
        """For what an execution waits; empty if it does not."""
        return self._limits.told(execution) or self._places.told(execution)

    def waited_for(self) -> dict[str, int]:
        """Quotas of places for which executions wait, by name."""
        return {name.removeprefix(_QUOTA): limit for name, limit in self._places.waited_for().items()}

    def change(self, executions: Mapping[str, int | None]) -> None:
        """Quotas are others now, or none any more, also for those that wait."""
        for name, limit in executions.items():
            self._places.change(f"{_QUOTA}{name}", _NO_LIMIT if limit is None else limit)

    def turn(self, execution: str) -> None:
        """It has its turn in its place: it begins, or waits for its own limit."""
        own = self._next.pop(execution, None)
        if own is not None:
            spec = own if own.on_limit == "replace" else replace(own, on_limit="queue")
            if not self._limits.arrive(execution, spec, "", self._clock.now()).begins:
                self._limits.launched(execution)
                return
        self.admit(execution)

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


class _Places:
    """The same of quotas: who has its turn does not begin yet, and nobody waits for somebody else's end."""

    def __init__(self, admission: Admission) -> None:
        self.ending, self.stuck, self.stop = admission.ending, admission.stuck, admission.stop
        self.admit = admission.turn

    def parent(self, _: str) -> str:
        """See `Executions.parent`."""
        return ""


def _own(request: LaunchRequest) -> ConcurrencySpec | None:
    """The limit of an execution itself: a name means another one in each place."""
    spec = request.concurrency or request.closure.workflow.concurrency
    if spec is None:
        return None
    name = within(place_of(request.labels), spec.name)
    return replace(spec, name=name, priority=spec.priority + request.priority)


def _scoped(labels: Mapping[str, str], name: str) -> str:
    """The name of a limit as it was written down: bare, by versions to which a name was the same in all places."""
    place = place_of(labels)
    return name if name.startswith(f"{place}/") else within(place, name)


def _place(quota: Quota | None, labels: Mapping[str, str], priority: int = 0) -> ConcurrencySpec | None:
    """That of its place, if it counts there."""
    if quota is None or quota.executions is None or PARENT in labels:
        return None
    return ConcurrencySpec(f"{_QUOTA}{quota.name}", quota.executions, priority=priority)


def _parent(labels: Mapping[str, str]) -> str:
    return labels.get(PARENT, "").partition("/")[0]
