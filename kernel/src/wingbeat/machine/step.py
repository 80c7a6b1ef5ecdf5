"""The machine: an event goes in; facts become true and effects come out.

Rule 1: a decision is made of facts. `_Machine` says a fact (`_say`), which changes the state at once, and asks for effects.
Replaying the facts gives the same state, so nothing is decided twice and nothing depends on the version of this file.

Rule 2: every effect follows from the state. `outstanding` names those whose end is not known, which is what a restart
performs again; an effect is safe to repeat because its name is the same.

Rule 3: events that do not fit are ignored: late, doubled and foreign reports are normal. The first valid one wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from wingbeat.base.errors import ErrorKind
from wingbeat.machine import attempts
from wingbeat.machine.effect import Cancel, Effect, Finish, Lookup, Publish, Release, SetTimer, Submit
from wingbeat.machine.event import (
    AbortAsked,
    AttemptAborted,
    AttemptFailed,
    AttemptRunning,
    AttemptSucceeded,
    CacheHeld,
    CacheHit,
    CacheMissed,
    CacheStored,
    Event,
    Launched,
    TimerFired,
)
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    AttemptStarted,
    Began,
    CacheSaid,
    CancelDecided,
    Fact,
    NodeEnded,
    NodeSucceeded,
    Turned,
)
from wingbeat.machine.state import AttemptState, NodeState, State, apply
from wingbeat.machine.values import resolve
from wingbeat.spec.entities import FailurePolicy, TaskSpec
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import Plan
from wingbeat.types import ValueMismatch

TIMED_OUT = "TimedOut"
EXECUTION_TIMED_OUT = "ExecutionTimedOut"


class Machine:
    """One execution: its plan, inputs and state.

    Attributes:
        notes: For nodes that wait, on what. Not part of the state: it is found out again after a restart.
    """

    def __init__(self, plan: Plan, inputs: Literals, state: State) -> None:
        self.plan, self.inputs, self.state = plan, inputs, state
        self.notes: dict[int, str] = {}
        self._facts: list[Fact] = []
        self._effects: list[Effect] = []

    def step(self, event: Event) -> list[Effect]:
        """Apply one event and say what must follow. The facts are in `take_facts`."""
        if self._concerns(event):
            if not self.state.phase.terminal:
                self._on[type(event)](self, event)
            elif isinstance(event, CacheMissed):
                self._cache_missed(event)  # what was granted has to be given back even now
        effects, self._effects = self._effects, []
        return effects

    def take_facts(self) -> list[Fact]:
        """The facts since the last call, in order: what has to be journaled before the effects are performed."""
        facts, self._facts = self._facts, []
        return facts

    def values(self, node: int) -> Literals:
        """The inputs of a node whose upstream nodes have succeeded."""
        return resolve(self.plan.nodes[node].inputs, self.inputs, self._outputs)

    def outstanding(self) -> list[Effect]:
        """Every effect whose end is not in the state: what a restart performs (again)."""
        state = self.state
        if state.phase.terminal:
            return []
        for i in range(len(state.nodes)):
            if self._looking(i):  # asked, but its answer was not journaled
                self._ask(Lookup(i))
        for i in sorted(state.live):
            node = state.nodes[i]
            number = len(node.attempts) - 1
            attempt = node.attempts[number]
            if attempt.cancel:
                self._ask(Cancel(i, number, attempt.cancel_reason))
            else:
                self._ask(Submit(i, number))
                self._timers(i, number, attempt)
        for i in sorted(state.retrying):
            node = state.nodes[i]
            self._ask(SetTimer(node.retry_at or 0.0, "retry", i, len(node.attempts)))
            self._total_timer(i)
        for i in sorted(state.publishing):
            self._ask(Publish(i))
        if self.plan.timeout_s is not None and state.began_at is not None:
            self._ask(SetTimer(state.began_at + self.plan.timeout_s, "execution"))
        effects, self._effects = self._effects, []
        return effects

    def _concerns(self, event: Event) -> bool:
        """Whether the event is about something that this execution has."""
        if isinstance(event, TimerFired) and event.kind == "execution":
            return self.plan.timeout_s is not None
        if isinstance(event, Launched | AbortAsked):
            return True
        known = 0 <= event.node < len(self.state.nodes)
        if known and isinstance(event, TimerFired) and event.kind in ("run", "queue", "total"):
            return getattr(self._task(event.node).timeout, f"{event.kind}_s") is not None
        return known

    # -- saying and asking

    def _say(self, fact: Fact) -> None:
        apply(self.plan, self.state, fact)
        self._facts.append(fact)

    def _ask(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _task(self, node: int) -> TaskSpec:
        return self.plan.tasks[self.plan.nodes[node].task]

    def _outputs(self, node: int) -> Literals | None:
        return self.state.nodes[node].outputs

    # -- events

    def _launched(self, event: Launched) -> None:
        if self.state.phase is not ExecutionPhase.QUEUED:
            return
        self._say(Began(event.at, event.seed))
        if self.plan.timeout_s is not None:
            self._ask(SetTimer(event.at + self.plan.timeout_s, "execution"))
        for node in sorted(event.recovered):
            self._say(NodeSucceeded(node, event.at, event.recovered[node], source=event.source))
        waits, nodes = self.state.waits, self.state.nodes
        self._start(
            (i for i in range(len(waits)) if not waits[i] and nodes[i].phase is NodePhase.NOT_STARTED), event.at
        )
        self._settle(event.at)

    def _cache_hit(self, event: CacheHit) -> None:
        if self._looking(event.node):
            self._say(NodeSucceeded(event.node, event.at, event.outputs, cache=CacheStatus.HIT, source=event.source))
            self._follow(event.node, event.at)

    def _cache_missed(self, event: CacheMissed) -> None:
        if self._looking(event.node):
            self._say(CacheSaid(event.node, event.status, event.reason))
            self._queue(event.node, event.at, event.publish)
        elif event.publish and not self.state.nodes[event.node].attempts:
            self._ask(Release(event.node))  # granted when nobody wanted it any more

    def _cache_held(self, event: CacheHeld) -> None:
        if self._looking(event.node):
            self.notes[event.node] = f"waiting for {event.holder}, which computes the same"
            self._ask(SetTimer(event.again_at, "lookup", event.node))

    def _cache_stored(self, event: CacheStored) -> None:
        if event.node in self.state.publishing:
            self._say(CacheSaid(event.node, event.status, event.reason))
            self._settle(event.at)

    def _attempt_running(self, event: AttemptRunning) -> None:
        attempt = self._current(event.node, event.attempt)
        if attempt is None or attempt.started_at is not None:
            return
        self._say(AttemptStarted(event.node, event.attempt, event.at, event.evidence))
        run_s = self._task(event.node).timeout.run_s
        if run_s is not None:
            self._ask(SetTimer(event.at + run_s, "run", event.node, event.attempt))

    def _attempt_succeeded(self, event: AttemptSucceeded) -> None:
        if self._current(event.node, event.attempt) is None:
            return
        node = self.state.nodes[event.node]
        self._say(NodeSucceeded(event.node, event.at, event.outputs, event.attempt, evidence=event.evidence))
        if node.publish:
            self._ask(Publish(event.node))
        self._follow(event.node, event.at)

    def _attempt_failed(self, event: AttemptFailed) -> None:
        attempt = self._current(event.node, event.attempt)
        if attempt is None:
            return
        if attempt.cancel:
            self._stopped(event.node, event.attempt, attempt, event.at)
        else:
            self._fail(event.node, event.attempt, event.error, event.at)

    def _attempt_aborted(self, event: AttemptAborted) -> None:
        attempt = self._current(event.node, event.attempt)
        if attempt is None:
            return
        if attempt.cancel:
            self._stopped(event.node, event.attempt, attempt, event.at)
        else:
            lost = ErrorInfo("Aborted", f"The attempt was stopped: {event.reason or 'not by us'}.", ErrorKind.SYSTEM)
            self._fail(event.node, event.attempt, lost, event.at)

    def _timer_fired(self, event: TimerFired) -> None:
        if event.kind == "execution":
            self._execution_timed_out(event.at)
            return
        node = self.state.nodes[event.node]
        if event.kind == "lookup":
            if self._looking(event.node):
                self._ask(Lookup(event.node))
        elif event.kind == "retry":
            if event.node in self.state.retrying and event.attempt == len(node.attempts):
                self._queue(event.node, event.at, node.publish)
        elif event.kind == "total":
            self._node_timed_out(event.node, node, event.at)
        else:
            attempt = self._current(event.node, event.attempt)
            started = attempt is not None and attempt.started_at is not None
            if attempt is not None and not attempt.cancel and (event.kind == "run" or not started):
                limit = self._task(event.node).timeout
                seconds = limit.run_s if event.kind == "run" else limit.queue_s
                what = "ran" if event.kind == "run" else "waited for its start"
                self._cancel(
                    event.node, event.attempt, event.kind, f"{what} longer than its timeout of {seconds:g} s", event.at
                )

    def _abort_asked(self, event: AbortAsked) -> None:
        if self.state.phase is not ExecutionPhase.ABORTING:
            self._say(Turned(ExecutionPhase.ABORTING, event.at, event.reason))
            self._stop_all("abort", event.reason, event.at)
            self._settle(event.at)

    # -- starting

    def _start(self, ready: Iterable[int], at: float) -> None:
        """Bring nodes on their way whose upstream nodes have all succeeded."""
        for i in ready:
            if self._task(i).cache is not None:
                self._ask(Lookup(i))
            else:
                self._queue(i, at, publish=False)

    def _looking(self, i: int) -> bool:
        """Whether the node still waits for the catalog's answer."""
        return (
            self.state.phase is ExecutionPhase.RUNNING
            and self.state.nodes[i].phase is NodePhase.NOT_STARTED
            and not self.state.waits[i]
        )

    def _queue(self, i: int, at: float, publish: bool) -> None:
        number = len(self.state.nodes[i].attempts)
        self.notes.pop(i, None)
        self._say(AttemptQueued(i, number, at, publish))
        self._ask(Submit(i, number))
        timeout = self._task(i).timeout
        if timeout.queue_s is not None:
            self._ask(SetTimer(at + timeout.queue_s, "queue", i, number))
        if timeout.total_s is not None and number == 0:
            self._ask(SetTimer(at + timeout.total_s, "total", i, 0))

    def _timers(self, i: int, number: int, attempt: AttemptState) -> None:
        """The timers of a live attempt, as they were set when it was queued and started."""
        timeout = self._task(i).timeout
        if timeout.run_s is not None and attempt.started_at is not None:
            self._ask(SetTimer(attempt.started_at + timeout.run_s, "run", i, number))
        if timeout.queue_s is not None and attempt.started_at is None:
            self._ask(SetTimer(attempt.queued_at + timeout.queue_s, "queue", i, number))
        self._total_timer(i)

    def _total_timer(self, i: int) -> None:
        total_s = self._task(i).timeout.total_s
        if total_s is not None:
            self._ask(SetTimer(self.state.nodes[i].attempts[0].queued_at + total_s, "total", i, 0))

    def _follow(self, i: int, at: float) -> None:
        """A node has succeeded: start what waited for it alone."""
        self.notes.pop(i, None)
        if self.state.phase is ExecutionPhase.RUNNING:
            waits, nodes = self.state.waits, self.state.nodes
            downstream = self.plan.nodes[i].downstream
            self._start([d for d in downstream if not waits[d] and nodes[d].phase is NodePhase.NOT_STARTED], at)
        if not self.state.remaining or self.state.phase is not ExecutionPhase.RUNNING or self.state.error is not None:
            self._settle(at)

    # -- ending

    def _current(self, i: int, number: int) -> AttemptState | None:
        """The attempt, if it is the node's last one and has not ended."""
        node = self.state.nodes[i] if 0 <= i < len(self.state.nodes) else None
        if node is None or i not in self.state.live or number != len(node.attempts) - 1:
            return None
        return node.attempts[number]

    def _fail(self, i: int, number: int, error: ErrorInfo, at: float) -> None:
        node = self.state.nodes[i]
        system = error.kind == ErrorKind.SYSTEM
        delay = None
        if self.state.phase is ExecutionPhase.RUNNING:
            draw = attempts.draw(self.state.seed, i, number)
            delay = attempts.retry_delay_s(self._task(i).retry, node, error, draw)
        if delay is not None:
            self._say(AttemptLost(i, number, at, error, at + delay, system))
            self._ask(SetTimer(at + delay, "retry", i, number + 1))
            return
        self._say(AttemptLost(i, number, at, error, None, system, NodePhase.FAILED))
        self._failed(i, error, at)

    def _stopped(self, i: int, number: int, attempt: AttemptState, at: float) -> None:
        """An attempt that was to be stopped is gone: for a timeout it counts as the user's failure, else it is aborted."""
        if attempt.cancel in ("run", "queue"):
            self._fail(i, number, ErrorInfo(TIMED_OUT, f"The attempt {attempt.cancel_reason}."), at)
            return
        total = attempt.cancel == "total"
        error = ErrorInfo(TIMED_OUT if total else "Aborted", attempt.cancel_reason, retryable=False)
        phase = NodePhase.TIMED_OUT if total else NodePhase.ABORTED
        self._say(AttemptLost(i, number, at, error, None, system=False, phase=phase))
        if total:
            self._failed(i, error, at)
        else:
            self._release(i)
            self._settle(at)

    def _failed(self, i: int, error: ErrorInfo, at: float) -> None:
        """A node has failed for good."""
        self._release(i)
        if self.plan.failure_policy is FailurePolicy.FAIL_IMMEDIATELY:
            self._turn_failing(self.state.error or error, at)
        self._settle(at)

    def _turn_failing(self, error: ErrorInfo, at: float) -> None:
        if self.state.phase in (ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDING):
            self._say(Turned(ExecutionPhase.FAILING, at, error.message, error))
            self._stop_all("failing", f"node {error.node} failed" if error.node else error.message, at)

    def _release(self, i: int) -> None:
        if self.state.nodes[i].publish:
            self._ask(Release(i))

    def _node_timed_out(self, i: int, node: NodeState, at: float) -> None:
        if node.phase.terminal:
            return
        reason = f"took longer than its total timeout of {self._task(i).timeout.total_s:g} s"
        if i in self.state.live:
            number = len(node.attempts) - 1
            if not node.attempts[number].cancel:
                self._cancel(i, number, "total", f"The node {reason}.", at)
        elif i in self.state.retrying:
            self._say(NodeEnded(i, NodePhase.TIMED_OUT, at, f"The node {reason}."))
            self._failed(i, ErrorInfo(TIMED_OUT, f"The node {reason}.", retryable=False), at)

    def _execution_timed_out(self, at: float) -> None:
        message = f"The execution took longer than its timeout of {self.plan.timeout_s:g} s."
        self._turn_failing(ErrorInfo(EXECUTION_TIMED_OUT, message, retryable=False), at)
        self._settle(at)

    def _cancel(self, i: int, number: int, cause: str, reason: str, at: float) -> None:
        self._say(CancelDecided(i, number, at, cause, reason))
        self._ask(Cancel(i, number, reason))

    def _stop_all(self, cause: str, reason: str, at: float) -> None:
        """Stop every attempt; what is between attempts ends at once."""
        for i in sorted(self.state.live):
            number = len(self.state.nodes[i].attempts) - 1
            self._cancel(i, number, cause, reason, at)
        for i in sorted(self.state.retrying):
            self._say(NodeEnded(i, NodePhase.ABORTED, at, reason))
            self._release(i)
        self.notes.clear()

    def _settle(self, at: float) -> None:
        """Enter the phase that follows when nothing is under way any more."""
        state = self.state
        if state.live or state.phase.terminal:
            return
        if state.phase is ExecutionPhase.ABORTING:
            self._finish(ExecutionPhase.ABORTED, at)
        elif state.phase is ExecutionPhase.FAILING:
            timed_out = state.error is not None and state.error.code == EXECUTION_TIMED_OUT
            self._finish(ExecutionPhase.TIMED_OUT if timed_out else ExecutionPhase.FAILED, at)
        elif not state.remaining and state.error is None:
            self._succeed(at)
        elif state.error is not None and not state.retrying and not self._startable():
            self._turn_failing(state.error, at)
            self._finish(ExecutionPhase.FAILED, at)

    def _startable(self) -> bool:
        """Whether a node has all it needs and still waits, for the catalog's answer."""
        nodes, waits = self.state.nodes, self.state.waits
        return any(n.phase is NodePhase.NOT_STARTED and not waits[i] for i, n in enumerate(nodes))

    def _succeed(self, at: float) -> None:
        try:
            outputs = resolve(self.plan.outputs, self.inputs, self._outputs)
        except ValueMismatch as error:
            self._turn_failing(ErrorInfo("BindingError", f"An output cannot be taken: {error}", retryable=False), at)
            self._finish(ExecutionPhase.FAILED, at)
            return
        if self.state.publishing:
            if self.state.phase is ExecutionPhase.RUNNING:
                self._say(Turned(ExecutionPhase.SUCCEEDING, at, outputs=outputs))
        else:
            self._finish(
                ExecutionPhase.SUCCEEDED, at, None if self.state.phase is ExecutionPhase.SUCCEEDING else outputs
            )

    def _finish(self, phase: ExecutionPhase, at: float, outputs: Literals | None = None) -> None:
        self._say(Turned(phase, at, outputs=outputs))
        self._ask(Finish())

    _on: ClassVar[dict[type, Any]] = {
        Launched: _launched,
        CacheHit: _cache_hit,
        CacheMissed: _cache_missed,
        CacheHeld: _cache_held,
        CacheStored: _cache_stored,
        AttemptRunning: _attempt_running,
        AttemptSucceeded: _attempt_succeeded,
        AttemptFailed: _attempt_failed,
        AttemptAborted: _attempt_aborted,
        TimerFired: _timer_fired,
        AbortAsked: _abort_asked,
    }
