"""Whether what has taken too long is ended, and nothing before its time: what is under way, and since when, is the machine's; how
long it may take is read in what its authors wrote, and what time it is, only the world knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wingbeat.machine.fact import AttemptQueued, AttemptStarted, CancelDecided
from wingbeat.machine.graph import node_of
from wingbeat.machine.state import AttemptState, NodeState
from wingbeat.spec.entities import GateSpec, TaskSpec
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.spec.plan import GateKind
from wingbeat.testing.invariants import Broken
from wingbeat.types.times import parse_timedelta

if TYPE_CHECKING:
    from wingbeat.testing.simulation import World

_GOES_ON = (ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDING)


def check(world: World) -> None:
    """When time has passed and every timer that was due has fired, nothing goes on beyond its time. Raises Broken."""
    state, graph, at = world.machine.state, world.machine.graph, world.at
    for number, scope in enumerate(state.scopes):
        limit_s = graph.plans[number].timeout_s if number else world.book.workflow.timeout_s
        if scope.phase in _GOES_ON and _over(scope.began_at, limit_s, at):
            raise Broken(f"a workflow ends after {limit_s} s")
    for number in state.gates:
        kind = graph.nodes[number].kind
        assert isinstance(kind, GateKind)
        if _over(state.nodes[number].began_at, _seconds(kind.spec), at):
            raise Broken(f"a gate ends after {_seconds(kind.spec)} s")
    for address, _ in world.open(world.reporting):
        task, node = graph.task(address), state.node(address)
        if task is not None:
            _check_attempt(task, node.attempts[-1], at)
    for address in {key[0] for key in world.attempts}:
        task, seen = graph.task(address) if node_of(address) < len(state.nodes) else None, state.seen(address)
        if task is not None and seen is not None and task.timeout.total_s is not None:
            _check_total(task.timeout.total_s, seen, at)


class Times:
    """When things began, by the facts of an execution: nothing is ended for its time before that is over."""

    def __init__(self) -> None:
        self._first: dict[int, float] = {}
        self._queued: dict[int, AttemptQueued] = {}
        self._started: dict[int, float] = {}
        self._over: set[int] = set()

    def queued(self, fact: AttemptQueued) -> None:
        """An attempt waits for its start."""
        self._first.setdefault(fact.node, fact.at)
        self._queued[fact.node] = fact
        self._started.pop(fact.node, None)

    def started(self, fact: AttemptStarted) -> None:
        """An attempt runs."""
        self._started[fact.node] = fact.at

    def check_stopped(self, fact: CancelDecided, task: TaskSpec) -> None:
        """An attempt is to be stopped. Raises Broken."""
        chosen = self._queued[fact.node].chosen or {}
        if fact.cause == "run":
            limit_s = cast("float | None", chosen.get("timeout.run_s", task.timeout.run_s))
            check_over(self._started.get(fact.node), limit_s, fact.at, "an attempt runs")
        elif fact.cause == "queue":
            check_over(self._queued[fact.node].at, task.timeout.queue_s, fact.at, "an attempt waits for its start")
            if fact.node in self._started:
                raise Broken("an attempt that has started does not wait for its start")
        elif fact.cause == "total":
            self.check_total(fact.node, fact.at, task)

    def check_total(self, address: int, at: float, task: TaskSpec) -> None:
        """A node has taken too long, with all of its attempts: it is stopped for that, or ends. Raises Broken."""
        if address in self._over:
            return  # its end may bear any time: the clock is set back
        self._over.add(address)
        check_over(self._first.get(address), task.timeout.total_s, at, "a node is worked on")


def check_over(since: float | None, limit_s: float | None, at: float, what: str) -> None:
    """Raise Broken unless that what goes on since then has come to the end of its time."""
    if since is None or limit_s is None:
        raise Broken(f"{what} for as long as it takes where no time is set")
    if at < since + limit_s - 1e-6:
        raise Broken(f"{what} until its {limit_s:g} s are over, not {at - since:g} s")


def _check_attempt(task: TaskSpec, attempt: AttemptState, at: float) -> None:
    if attempt.cancel:
        return
    run_s, queue_s = task.timeout.run_s, task.timeout.queue_s
    if attempt.chosen is not None and "timeout.run_s" in attempt.chosen:
        run_s = cast("float", attempt.chosen["timeout.run_s"])
    if _over(attempt.started_at, run_s, at) and not task.dynamic:
        raise Broken(f"an attempt is stopped when it has run for {run_s} s")
    if attempt.started_at is None and _over(attempt.queued_at, queue_s, at):
        raise Broken(f"an attempt is stopped when it has waited for {queue_s} s")


def _check_total(total_s: float, node: NodeState, at: float) -> None:
    attempt = node.open_attempt
    stopping = node.stop or (attempt is not None and attempt.cancel)
    if node.phase is NodePhase.NOT_STARTED or node.phase.terminal or stopping:
        return
    began = node.began_at if node.began_at is not None else node.attempts[0].queued_at
    if _over(began, total_s, at):
        raise Broken(f"a node ends after {total_s} s")


def _seconds(gate: GateSpec) -> float | None:
    if gate.gate != "sleep":
        return gate.timeout_s
    duration = gate.interface.input("duration")
    assert duration is not None
    return parse_timedelta(duration.default).total_seconds()


def _over(since: float | None, limit_s: float | None, at: float) -> bool:
    return since is not None and limit_s is not None and since + limit_s < at
