"""The machine: an event goes in; facts become true and effects come out.

Rule 1: a decision is made of facts. `Machine` says a fact (`say`), which changes the state at once, and asks for effects.
Replaying the facts gives the same state, so nothing is decided twice and nothing depends on the version of this file.

Rule 2: every effect follows from the state. `outstanding` names those whose end is not known, which is what a restart
performs again; an effect is safe to repeat because its name is the same.

Rule 3: events that do not fit are ignored: late, doubled and foreign reports are normal. The first valid one wins.

What is here concerns every node; each kind of node that holds no process of its own has a module beside this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import msgspec

from wingbeat.base.errors import ErrorKind
from wingbeat.base.units import sentence
from wingbeat.machine import attempts, begin, bodies, branches, gates, maps, restart, scopes
from wingbeat.machine.effect import (
    Cancel,
    CancelChild,
    Effect,
    LaunchChild,
    Lookup,
    Publish,
    Release,
    SetTimer,
    Submit,
)
from wingbeat.machine.event import (
    AbortAsked,
    Admitted,
    AttemptAborted,
    AttemptFailed,
    AttemptRunning,
    AttemptSucceeded,
    AttemptSuspended,
    CacheHeld,
    CacheHit,
    CacheMissed,
    CacheStored,
    ChildEnded,
    Event,
    Launched,
    Loaded,
    Signalled,
    SlotsFree,
    TimerFired,
)
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    AttemptStarted,
    CacheSaid,
    CancelDecided,
    Fact,
    NodeEnded,
    NodeSucceeded,
    Started,
)
from wingbeat.machine.fold import apply
from wingbeat.machine.graph import Graph, is_item, item_of, node_of
from wingbeat.machine.inrow import in_row
from wingbeat.machine.state import AttemptState, NodeState, State
from wingbeat.machine.takeover import Alike, take_over
from wingbeat.machine.values import resolve
from wingbeat.spec.chosen import settled
from wingbeat.spec.entities import FailurePolicy, TaskSpec
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ABORTED, ErrorInfo
from wingbeat.spec.phase import CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, MapKind, Plan, ScopeKind
from wingbeat.types import ValueMismatch

TIMED_OUT = "TimedOut"
_OF_ALL = frozenset({Launched, Admitted, AbortAsked, Signalled})
"""Events of the execution, not of one of its nodes."""


class Machine:
    """One execution: its graph, inputs and state.

    Attributes:
        notes: For nodes that wait, on what. Not part of the state: it is found out again after a restart.

        loaded: For nodes that need stored values to be decided upon, those values. Not part of the state either.

        filling: Maps that start items at this moment.

        due: For maps that others feed, the items that have been fed and may not have been started yet.

        alike: What may be taken over from another execution, by what it is, once that was asked for.
    """

    def __init__(self, graph: Graph, inputs: Literals, state: State) -> None:
        self.graph, self.inputs, self.state = graph, inputs, state
        self.plan: Plan = graph.plan
        self.notes: dict[int, str] = {}
        self.loaded: dict[int, dict[str, Any]] = {}
        self.mapped: dict[int, maps.Mapped] = {}
        self.filling: set[int] = set()
        self.due: dict[int, deque[int]] = {}
        self.alike: Alike | None = None
        self._following: list[tuple[Any, ...]] = []
        self._fed: list[tuple[Any, ...]] = []
        self._facts: list[Fact] = []
        self._effects: list[Effect] = []

    def step(self, event: Event) -> list[Effect]:
        """Apply one event and say what must follow. The facts are in `take_facts`."""
        if self._concerns(event):
            if not self.state.scopes[0].phase.terminal:
                self._on[type(event)](self, event)
            elif isinstance(event, CacheMissed):
                self._cache_missed(event)  # what was granted has to be given back even now
        effects, self._effects = self._effects, []
        return effects

    def take_facts(self) -> list[Fact]:
        """The facts since the last call, in order: what has to be journaled before the effects are performed."""
        facts, self._facts = self._facts, []
        return facts

    def values(self, address: int, *, without: Collection[str] = ()) -> Literals:
        """The inputs of a node or item whose upstream nodes have succeeded, all but `without`. Raises ValueMismatch."""
        if is_item(address):
            return maps.item_values(self, address)
        graph, inputs = self.graph, self.graph.nodes[address].inputs
        if without:
            inputs = {name: source for name, source in inputs.items() if name not in without}
        number = graph.scope_of(address)
        if number == 0:
            return resolve(inputs, self.inputs, self._outputs)
        base = graph.bases[number]
        return resolve(inputs, self.state.scopes[number].inputs, lambda n: self.state.nodes[base + n].outputs)

    def unread(self, *, ended: bool = False) -> list[int]:
        """Nodes whose stored values have to be given by `Loaded` before attempts of theirs can be made again.

        With `ended`, also those of which only the inputs of their items are asked for.
        """
        found = []
        for number in sorted(self.state.maps):
            if (ended or not self.state.nodes[number].phase.terminal) and not maps.ready(self, number):
                found.append(number)
        return found

    def outstanding(self) -> list[Effect]:
        """Every effect whose end is not in the state: what a restart performs (again)."""
        if not self.state.phase.terminal:
            restart.ask_again(self)
        effects, self._effects = self._effects, []
        return effects

    def _concerns(self, event: Event) -> bool:
        """Whether the event is about something that this execution has."""
        if not isinstance(event, TimerFired):
            return type(event) in _OF_ALL or self.knows(event.node)  # type: ignore[union-attr]
        if event.kind in ("execution", "workflow"):
            scope = max(event.node, 0)
            return scope < len(self.graph.plans) and self.graph.plans[scope].timeout_s is not None
        known = self.knows(event.node)
        if known and event.kind in ("run", "queue", "total"):
            task = self.graph.task(event.node)
            name = f"{event.kind}_s"
            return task is not None and (getattr(task.timeout, name) is not None or f"timeout.{name}" in task.formulas)
        return known

    def knows(self, address: int) -> bool:
        """Whether there is such a node or item."""
        if 0 <= address < len(self.state.nodes):
            return True
        number = node_of(address)
        mapping = self.state.maps.get(number)
        return mapping is not None and item_of(address) < mapping.total

    # -- saying and asking

    def say(self, fact: Fact) -> None:
        """Make a fact true."""
        apply(self.graph, self.state, fact)
        self._facts.append(fact)

    def ask(self, effect: Effect) -> None:
        """Want something done."""
        self._effects.append(effect)

    def settled(self, address: int, attempt: AttemptState | None = None) -> TaskSpec:
        """The task of a node or item as an attempt is made with it, the open one if none is given."""
        task = self.graph.called(address)
        if not task.formulas:
            return task
        if attempt is None and (node := self.state.seen(address)) is not None:
            attempt = node.open_attempt
        return settled(task, None if attempt is None else attempt.chosen)

    def _outputs(self, node: int) -> Literals | None:
        return self.state.nodes[node].outputs

    def running(self, address: int) -> bool:
        """Whether the scope of a node or item still starts things."""
        scope = self.state.scopes[self.graph.scope_of(node_of(address))]
        return scope.phase is ExecutionPhase.RUNNING

    # -- events

    def _cache_hit(self, event: CacheHit) -> None:
        if self.looking(event.node):
            self.say(NodeSucceeded(event.node, event.at, event.outputs, cache=CacheStatus.HIT, source=event.source))
            self.succeeded(event.node, event.at)

    def _cache_missed(self, event: CacheMissed) -> None:
        if self.looking(event.node):
            self.say(CacheSaid(event.node, event.status, event.reason))
            self.queue(event.node, event.at, event.publish)
        elif event.publish and ((node := self.state.seen(event.node)) is None or not node.attempts):
            self.ask(Release(event.node))  # granted when nobody wanted it any more

    def _cache_held(self, event: CacheHeld) -> None:
        if self.looking(event.node):
            self.notes[event.node] = f"waiting for {event.holder}, which computes the same"
            self.ask(SetTimer(event.again_at, "lookup", event.node))

    def _cache_stored(self, event: CacheStored) -> None:
        if event.node in self.state.publishing:
            self.say(CacheSaid(event.node, event.status, event.reason))
            scopes.settle(self, 0, event.at)

    def _attempt_running(self, event: AttemptRunning) -> None:
        attempt = self.current(event.node, event.attempt)
        if attempt is None or attempt.started_at is not None:
            return
        self.say(AttemptStarted(event.node, event.attempt, event.at, event.evidence))
        self.notes.pop(event.node, None)
        task = self.settled(event.node, attempt)
        if task.timeout.run_s is not None and not task.dynamic:
            self.ask(SetTimer(event.at + task.timeout.run_s, "run", event.node, event.attempt))

    def _attempt_succeeded(self, event: AttemptSucceeded) -> None:
        attempt = self.current(event.node, event.attempt)
        if attempt is None or (event.node in self.state.bodies and bodies.returned(self, event)):
            return
        self.attempt_succeeded(event.node, event.attempt, event.outputs, event.evidence, event.at)

    def attempt_succeeded(
        self, address: int, number: int, outputs: Literals, evidence: dict[str, Any] | None, at: float
    ) -> None:
        """An attempt has given the outputs of its node."""
        publish = self.state.node(address).publish
        self.say(NodeSucceeded(address, at, outputs, number, evidence=evidence))
        if publish:
            self.ask(Publish(address))
        self.succeeded(address, at)

    def _attempt_failed(self, event: AttemptFailed) -> None:
        attempt = self.current(event.node, event.attempt)
        if attempt is None:
            return
        self._attempt_lost(event.node, attempt, event.error, event.at)

    def _attempt_aborted(self, event: AttemptAborted) -> None:
        attempt = self.current(event.node, event.attempt)
        if attempt is None:
            return
        message = f"The attempt was stopped: {event.reason or 'not by us'}."
        lost = ErrorInfo(ABORTED, message, ErrorKind.SYSTEM, evidence=event.evidence)
        self._attempt_lost(event.node, attempt, lost, event.at)

    def _attempt_lost(self, address: int, attempt: AttemptState, error: ErrorInfo, at: float) -> None:
        """An attempt has ended without outputs."""
        if address in self.state.bodies and bodies.raised(self, address, attempt, error, at):
            return
        if attempt.cancel:
            self.stopped(address, attempt, at, error.evidence)
        else:
            self.fail(address, attempt.number, error, at)

    def _attempt_suspended(self, event: AttemptSuspended) -> None:
        attempt = self.current(event.node, event.attempt)
        if attempt is not None and event.node in self.state.bodies:
            bodies.suspended(self, event, attempt)

    def _loaded(self, event: Loaded) -> None:
        if event.error is None:
            self.loaded[event.node] = event.values
        kind = self.graph.nodes[event.node].kind
        if not self.looking(event.node) or kind is None:
            return
        if event.error is not None:
            self.end(event.node, NodePhase.FAILED, event.error, event.at)
        else:
            self._start_kind(event.node, event.at)

    def _child_ended(self, event: ChildEnded) -> None:
        node = self.state.seen(event.node)
        if node is None or node.phase is not NodePhase.RUNNING or event.node not in self.state.live:
            return
        if event.error is None and not event.aborted:
            self.say(NodeSucceeded(event.node, event.at, event.outputs, source=event.source))
            self.succeeded(event.node, event.at)
        elif node.stop:
            self.end(event.node, NodePhase.ABORTED, None, event.at, node.reason)
        else:
            error = event.error or ErrorInfo(ABORTED, "The child execution was aborted.", retryable=False)
            self.end(event.node, NodePhase.FAILED, error.of_child(event.source), event.at)

    def _timer_fired(self, event: TimerFired) -> None:
        address = event.node
        node = self.state.seen(address)
        if event.kind in ("execution", "workflow"):
            scopes.timed_out(self, max(event.node, 0), event.at)
        elif event.kind == "lookup":
            if self.looking(address):
                self.ask(Lookup(address))
        elif node is None:
            return
        elif event.kind == "retry":
            if node.retry_at is not None and event.attempt == node.next_attempt and not node.phase.terminal:
                self.queue(address, event.at, node.publish)
        elif event.kind == "gate":
            gates.due(self, address, event.at)
        elif event.kind == "wake":
            bodies.woke(self, address, event.at)
        elif event.kind == "total":
            self._node_timed_out(address, node, event.at)
        else:
            attempt = self.current(address, event.attempt)
            started = attempt is not None and attempt.started_at is not None
            if attempt is not None and not attempt.cancel and (event.kind == "run" or not started):
                limit = self.settled(address, attempt).timeout
                seconds = limit.run_s if event.kind == "run" else limit.queue_s
                what = "ran" if event.kind == "run" else "waited for its start"
                self.cancel(address, event.kind, f"{what} longer than its timeout of {seconds:g} s", event.at)

    def _abort_asked(self, event: AbortAsked) -> None:
        root = self.state.scopes[0]
        if root.phase is not ExecutionPhase.ABORTING:
            scopes.abort(self, 0, event.reason, event.at, event.error)
        else:
            scopes.abort_again(self, event.reason, event.at)

    # -- starting

    def start(self, ready: Sequence[int], at: float) -> None:
        """Bring nodes of one scope on their way whose upstream nodes have all succeeded."""
        if not ready:
            return
        graph, state = self.graph, self.state
        scope = state.scopes[graph.scope_of(ready[0])]
        for i in ready:
            if scope.phase is not ExecutionPhase.RUNNING:
                return  # one of them has failed at once
            phase = state.nodes[i].phase
            if phase is NodePhase.RUNNING:
                (maps if i in state.maps else branches).joined(self, i, at)
            elif phase.terminal:
                continue  # which it may have become with one before it
            elif graph.nodes[i].kind is not None:
                self._start_kind(i, at)
            elif state.reusable and take_over(self, i, at):
                continue
            elif self.graph.called(i).cache is not None:
                self.ask(Lookup(i))
            else:
                self.queue(i, at, publish=False)

    def _start_kind(self, i: int, at: float) -> None:
        kind = self.graph.nodes[i].kind
        try:
            match kind:
                case MapKind():
                    maps.start(self, i, kind, at)
                case BranchKind():
                    branches.start(self, i, kind, at)
                case GateKind():
                    gates.start(self, i, kind, at)
                case ScopeKind():
                    scopes.open_for(self, i, kind.plan, self.values(i), at)
                case ChildKind():
                    self.say(Started(i, at))
                    self.ask(LaunchChild(i))
        except ValueMismatch as error:
            self.end(i, NodePhase.FAILED, binding_error(error), at)

    def looking(self, address: int) -> bool:
        """Whether a node or item is to start and waits for an answer: the catalog's, or what it has stored."""
        if is_item(address):
            mapping = self.state.maps.get(node_of(address))
            return mapping is not None and address in mapping.looking and maps.goes_on(self, node_of(address))
        return (
            self.state.nodes[address].phase is NodePhase.NOT_STARTED
            and not self.state.waits[address]
            and self.running(address)
        )

    def queue(self, address: int, at: float, publish: bool) -> None:
        """Have an attempt made."""
        node = self.state.seen(address)
        number = node.next_attempt if node is not None else 0
        self.notes.pop(address, None)
        task, chosen = self.graph.called(address), None
        if task.formulas:
            try:
                chosen = attempts.chosen(self, address, task)
            except ValueMismatch as error:  # at the first attempt: for another it was tried before
                if publish:
                    self.ask(Release(address))
                self.end(address, NodePhase.FAILED, ErrorInfo("OptionError", f"Option {error}.", retryable=False), at)
                return
        self.say(AttemptQueued(address, number, at, publish, chosen))
        self.ask(Submit(address, number))
        timeout = settled(task, chosen).timeout if chosen else task.timeout
        if timeout.queue_s is not None:
            self.ask(SetTimer(at + timeout.queue_s, "queue", address, number))
        if timeout.total_s is not None and number == 0:
            restart.total_timer(self, address)

    def succeeded(self, address: int, at: float) -> None:
        """A node or item has succeeded: go on with what waited for it alone."""
        self.notes.pop(address, None)
        if is_item(address):
            maps.item_ended(self, address, at)
            return
        graph, waits = self.graph, self.state.waits
        number = graph.scope_of(address)
        base, ready = graph.bases[number], []
        for downstream in graph.nodes[address].downstream:
            follower = base + downstream
            if not waits[follower] or (graph.nodes[follower].kind is not None and maps.early(self, follower)):
                ready.append(follower)
        self.follow(number, ready, at)

    def follow(self, number: int, ready: list[int], at: float) -> None:
        """Start nodes of a scope that became ready."""
        in_row(self._following, self._follow, number, ready, at)

    def feed(self, number: int, lost: str, at: float) -> None:
        """Have a map go on that another has fed, or stop because that is `lost`."""
        in_row(self._fed, maps.go_on, self, number, lost, at)

    def _follow(self, number: int, ready: list[int], at: float) -> None:
        scope = self.state.scopes[number]
        self.start(ready, at)
        if not scope.remaining or scope.phase is not ExecutionPhase.RUNNING or scope.error is not None:
            scopes.settle(self, number, at)

    # -- ending

    def current(self, address: int, number: int) -> AttemptState | None:
        """The attempt, if it is the last one and its end was not reported."""
        body = self.state.bodies.get(address)
        if body is not None and body.ended:
            return None  # it is held open for what it called
        node = self.state.seen(address)
        attempt = node.open_attempt if node is not None else None
        return attempt if attempt is not None and attempt.number == number else None

    def fail(self, address: int, number: int, error: ErrorInfo, at: float) -> None:
        """An attempt has failed: there is another one, or the node has failed."""
        node = self.state.node(address)
        system = attempts.of_the_system(error)
        delay, why = self._follow_up(address, number, error)
        if delay is not None:
            self.say(AttemptLost(address, number, at, error, at + delay, system))
            restart.retry_timers(self, address)
            return
        publish = node.publish
        if why:
            error = msgspec.structs.replace(error, message=f"{sentence(error.message)} {why}")
        self.say(AttemptLost(address, number, at, error, None, system, NodePhase.FAILED))
        self._lost(address, publish, error, at)

    def retries(self, address: int, number: int, error: ErrorInfo) -> bool:
        """Whether another attempt follows one that failed."""
        return self._follow_up(address, number, error)[0] is not None

    def _follow_up(self, address: int, number: int, error: ErrorInfo) -> tuple[float | None, str]:
        if not self.running(address) or (is_item(address) and not maps.goes_on(self, node_of(address))):
            return None, ""
        return attempts.follow_up(self, address, number, error)

    def stopped(self, address: int, attempt: AttemptState, at: float, evidence: dict[str, Any] | None = None) -> None:
        """An attempt that was to be stopped is gone: for a timeout it counts as the user's failure, else it is aborted."""
        number = attempt.number
        if attempt.cancel in ("run", "queue"):
            error = ErrorInfo(TIMED_OUT, f"The attempt {attempt.cancel_reason}.", evidence=evidence or {})
            self.fail(address, number, error, at)
            return
        total = attempt.cancel == "total"
        code = TIMED_OUT if total else ABORTED
        error = ErrorInfo(code, attempt.cancel_reason, retryable=False, evidence=evidence or {})
        publish = self.state.node(address).publish
        phase = NodePhase.TIMED_OUT if total else NodePhase.ABORTED
        self.say(AttemptLost(address, number, at, error, None, system=False, phase=phase))
        self._lost(address, publish, error if total else None, at)

    def end(self, address: int, phase: NodePhase, error: ErrorInfo | None, at: float, reason: str = "") -> None:
        """A node or item ends without outputs and without an attempt."""
        node = self.state.seen(address)
        publish = node is not None and node.publish
        self.say(NodeEnded(address, phase, at, error.message if error is not None else reason, error))
        self._lost(address, publish, error, at)

    def _lost(self, address: int, publish: bool, error: ErrorInfo | None, at: float) -> None:
        """A node or item has ended without outputs; without `error` because it was to stop."""
        self.notes.pop(address, None)
        if publish:
            self.ask(Release(address))
        if is_item(address):
            maps.item_ended(self, address, at)
            return
        if address in self.state.maps:
            maps.feeder_lost(self, address, at)
        number = self.graph.scope_of(address)
        if error is not None and self.graph.plans[number].failure_policy is FailurePolicy.FAIL_IMMEDIATELY:
            scopes.turn_failing(self, number, self.state.scopes[number].error or error, at)
        scopes.settle(self, number, at)

    def _node_timed_out(self, address: int, node: NodeState, at: float) -> None:
        if node.phase.terminal:
            return
        reason = f"The node took longer than its total timeout of {self.graph.called(address).timeout.total_s:g} s."
        attempt = node.open_attempt
        if attempt is not None or address in self.state.bodies:
            if (attempt is None or not attempt.cancel) and not node.stop:
                self.stop(address, "total", reason, at)
        elif node.retry_at is not None:
            self.end(address, NodePhase.TIMED_OUT, ErrorInfo(TIMED_OUT, reason, retryable=False), at)

    def cancel(self, address: int, cause: str, reason: str, at: float) -> None:
        """Have the open attempt of a node or item stopped."""
        attempt = self.state.node(address).open_attempt
        if attempt is not None and attempt.cancel != cause:
            self.say(CancelDecided(address, attempt.number, at, cause, reason))
            self.ask(Cancel(address, attempt.number, reason))

    def stop(self, address: int, cause: str, reason: str, at: float) -> None:
        """Have a node or item end that is under way. It may end in this call."""
        node = self.state.node(address)
        if address in self.state.bodies:
            bodies.stop(self, address, cause, reason, at)
        elif node.open_attempt is not None:
            self.cancel(address, cause, reason, at)
        elif node.retry_at is not None:
            self.end(address, NodePhase.ABORTED, None, at, reason)
        elif address in self.state.maps:
            maps.stop(self, address, cause, reason, at)
        elif (inside := self.graph.inside.get(address)) is not None:
            scopes.abort(self, inside, reason, at)
        elif address in self.state.gates:
            self.end(address, NodePhase.ABORTED, None, at, reason)
        elif not node.stop:
            self.say(CancelDecided(address, -1, at, cause, reason))
            self.ask(CancelChild(address, reason))

    _on: ClassVar[dict[type, Any]] = {
        Launched: begin.launched,
        Admitted: begin.admitted,
        CacheHit: _cache_hit,
        CacheMissed: _cache_missed,
        CacheHeld: _cache_held,
        CacheStored: _cache_stored,
        SlotsFree: attempts.slots_free,
        AttemptRunning: _attempt_running,
        AttemptSucceeded: _attempt_succeeded,
        AttemptFailed: _attempt_failed,
        AttemptAborted: _attempt_aborted,
        AttemptSuspended: _attempt_suspended,
        Loaded: _loaded,
        Signalled: gates.signalled,
        ChildEnded: _child_ended,
        TimerFired: _timer_fired,
        AbortAsked: _abort_asked,
    }


def binding_error(error: ValueMismatch) -> ErrorInfo:
    """Why a value cannot be taken."""
    return ErrorInfo("BindingError", f"An input cannot be taken: {error}", retryable=False)
