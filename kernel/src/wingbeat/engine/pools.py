"""Pools: named numbers of slots that attempts of all executions share.

A slot is a lease of an attempt: that it has one is in the journal before the attempt goes to its executor, and it is free again
when the attempt's end is there, however it ended. So after a restart what may run holds its slots, and the rest lines up again.

Who waits longer comes nearer: the priority of an attempt grows by one with every `AGEING_S` that it waits. Whoever is first is
waited for, so that a heavy attempt is not passed for ever by light ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from wingbeat.base.ids import attempt_id
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.engine.clock import Clock
from wingbeat.engine.live import Live
from wingbeat.machine.fact import AttemptLost, Fact, NodeSucceeded, Suspended
from wingbeat.spec.entities import PoolSpec

AGEING_S = 60.0
HOLDERS_TOLD = 3

Go = Callable[[AttemptRequest], None]
Note = Callable[[AttemptRequest, str], None]


class _Waiting(Struct):
    request: AttemptRequest
    spec: PoolSpec
    since: float
    number: int

    def rank(self, now: float) -> tuple[float, int]:
        """Smaller is first."""
        return -(self.spec.priority + (now - self.since) // AGEING_S), self.number


class Pools:
    """Holds attempts back until their pool has room.

    Args:
        limits: Slots by the name of the pool.

        go: Takes an attempt that may be submitted.

        free: Told of an attempt for which there is room, which is kept for it: when that is written down, it is submitted again.

        note: Told for what an attempt waits; with an empty text, that it does not any more.
    """

    def __init__(self, limits: Mapping[str, int], clock: Clock, go: Go, free: Go, note: Note) -> None:
        self._limits, self._clock, self._go, self._free, self._note = limits, clock, go, free, note
        self._held: dict[str, dict[str, int]] = {name: {} for name in limits}
        self._pool_of: dict[str, str] = {}
        self._waiting: dict[str, list[_Waiting]] = {name: [] for name in limits}
        self._resumed: list[AttemptRequest] = []
        self._count = 0
        self._latest = 0.0

    def submit(self, request: AttemptRequest) -> None:
        """Let an attempt go when there is room for it."""
        spec = request.task.pool
        if spec is None:
            self._go(request)
            return
        if request.id in self._pool_of:
            if request.id in self._held[spec.name]:
                self._go(request)
            return
        self._count += 1
        self._latest = max(
            self._latest, self._clock.now()
        )  # a clock that is set back makes nobody older than who came before
        self._pool_of[request.id] = spec.name
        self._waiting[spec.name].append(_Waiting(request, spec, self._latest, self._count))
        self._let_go(spec.name)

    def resume(self, request: AttemptRequest) -> bool:
        """Take up an attempt that was asked for before a restart. False if it had no slots yet: it lines up again."""
        if request.task.pool is None or request.id in self._pool_of:
            return True
        self._resumed.append(request)
        return False

    def hold(self, attempt: str, spec: PoolSpec) -> None:
        """An attempt has had slots before a restart."""
        self._pool_of[attempt] = spec.name
        self._held[spec.name][attempt] = self._weight(spec)

    def start(self) -> None:
        """Line up what was resumed; what runs has its slots."""
        resumed, self._resumed = self._resumed, []
        for request in resumed:
            self.submit(request)

    def said(self, live: Live, facts: list[Fact]) -> None:
        """These facts are durable: attempts that have ended hold no slot any more."""
        if not self._pool_of:
            return
        for fact in facts:
            if isinstance(fact, AttemptLost | Suspended) or (isinstance(fact, NodeSucceeded) and fact.attempt >= 0):
                self._ended(attempt_id(live.id, live.node_id(fact.node), fact.attempt))

    def withdraw(self, attempt: str) -> None:
        """An attempt is to be stopped: if it still waits, it never starts."""
        name = self._pool_of.get(attempt)
        if name is not None and attempt not in self._held[name]:
            self._ended(attempt)

    def forget(self, execution: str) -> None:
        """Nothing of an execution is under way any more."""
        for attempt in [a for a in self._pool_of if a.startswith(f"{execution}/")]:
            self._ended(attempt)

    def _ended(self, attempt: str) -> None:
        name = self._pool_of.pop(attempt, None)
        if name is not None:
            if self._held[name].pop(attempt, None) is None:
                self._waiting[name] = [w for w in self._waiting[name] if w.request.id != attempt]
            self._let_go(name)

    def _weight(self, spec: PoolSpec) -> int:
        return min(spec.weight, self._limits[spec.name])

    def _let_go(self, name: str) -> None:
        now, held, waiting = self._clock.now(), self._held[name], self._waiting[name]
        waiting.sort(key=lambda w: w.rank(now))
        while waiting and sum(held.values()) + self._weight(waiting[0].spec) <= self._limits[name]:
            first = waiting.pop(0)
            held[first.request.id] = self._weight(first.spec)
            self._note(first.request, "")
            self._free(first.request)
        for place, one in enumerate(waiting):
            self._note(one.request, self._told(name, place))

    def _told(self, name: str, place: int) -> str:
        held = self._held[name]
        holders = ", ".join(list(held)[:HOLDERS_TOLD]) + (", …" if len(held) > HOLDERS_TOLD else "")
        before = f"; {place} before it" if place else ""
        return f"waiting for pool {name!r}: {sum(held.values())} of {self._limits[name]} slots are held by {holders}{before}"
