"""What must hold in every state of the machine, at every fact, and at the end of an execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wingbeat.machine import event as e
from wingbeat.machine.attempts import SYSTEM
from wingbeat.machine.effect import Cancel, Effect, Lookup, Publish, SetTimer, Submit
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    Fact,
    NodeSucceeded,
    Opened,
    SignalKept,
    Started,
    Suspended,
    Turned,
)
from wingbeat.machine.graph import Graph, is_item, item_of, node_of
from wingbeat.machine.maps import WINDOW
from wingbeat.machine.state import PHASES, NodeState, decode_state, encode_state, graph_of
from wingbeat.machine.step import Machine
from wingbeat.spec.chosen import AT_QUEUE
from wingbeat.spec.literal import Inline, LiteralList
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, GateKind, MapKind

if TYPE_CHECKING:
    from wingbeat.testing.simulation import World

END_SHARE = 0.25
"""Of ends, at how many the state is written and read again, as it is on the way and by every restart."""
OPEN = frozenset({AttemptPhase.QUEUED, AttemptPhase.RUNNING})
UNDER_WAY = frozenset({NodePhase.QUEUED, NodePhase.RUNNING, NodePhase.DYNAMIC_RUNNING})
_ENDS = (AttemptLost, Suspended, NodeSucceeded)
_HELD = (Submit, Cancel, Publish)
_ASKED = (Submit, Cancel, Publish, Lookup)


class Broken(AssertionError):
    """Something that must hold does not."""


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(f"not true: {what}")


def check_fact(m: Machine, fact: Fact) -> None:
    """A node starts only after what it consumes has succeeded; a scope ends, and its handler begins, when it is quiet."""
    check = _OF_FACT.get(type(fact))
    if check is not None:
        check(m, fact)


def _check_start(m: Machine, fact: AttemptQueued | NodeSucceeded | Started) -> None:
    if is_item(fact.node):
        _check_fed(m, fact.node)
    elif not isinstance(fact, Started):
        base, nodes = m.graph.base_of(fact.node), m.state.nodes
        for u in m.graph.nodes[fact.node].upstream:
            _check(nodes[base + u].phase.success, "upstream nodes have succeeded first")
    if isinstance(fact, AttemptQueued):
        _check_chosen(m, fact)


def _check_turned(m: Machine, fact: Turned) -> None:
    if ExecutionPhase(fact.phase).terminal:
        _check_quiet(m, fact.scope)


def _check_opened(m: Machine, fact: Opened) -> None:
    if fact.handler_of >= 0:
        _check_quiet(m, fact.handler_of)
    if is_item(fact.parent):
        _check_fed(m, fact.parent)


_OF_FACT: dict[type, Callable[[Machine, Any], None]] = {
    AttemptQueued: _check_start,
    NodeSucceeded: _check_start,
    Started: _check_start,
    Turned: _check_turned,
    Opened: _check_opened,
}


def _check_fed(m: Machine, address: int) -> None:
    """An item takes what the items of the maps that feed its map have given."""
    number, item = node_of(address), item_of(address)
    base, kind = m.graph.base_of(number), m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    for name, (upstream, output) in kind.fed.items():
        feeder, mapping, above = (
            m.state.nodes[base + upstream],
            m.state.maps[base + upstream],
            m.graph.nodes[base + upstream].kind,
        )
        assert isinstance(above, MapKind)
        phase = PHASES[mapping.phases[item]]
        lost = above.spec.tolerant and phase in (NodePhase.FAILED, NodePhase.TIMED_OUT)
        _check(phase.success or lost, "an item starts when the items that it is fed by have ended")
        if feeder.outputs is None:
            given = mapping.outputs[output][item]
        else:
            whole = feeder.outputs[output]
            assert isinstance(whole, Inline | LiteralList)
            given = Inline(whole.value[item]) if isinstance(whole, Inline) else whole.items[item]
        taken = m.values(address)[name]
        _check(taken == (Inline(None) if given is None else given), "an item takes what it was fed")


def _check_quiet(m: Machine, number: int) -> None:
    """At the moment when a scope ends, and when its handler begins, all that was under way in it has ended."""
    base, count = m.graph.bases[number], len(m.graph.plans[number].nodes)
    under_way = {NodePhase.QUEUED, NodePhase.RUNNING, NodePhase.DYNAMIC_RUNNING}
    phases = [node.phase for node in m.state.nodes[base : base + count]]
    _check(not under_way.intersection(phases), "nothing of a scope ends after it")


def _check_chosen(m: Machine, fact: AttemptQueued) -> None:
    """An attempt has a number for each formula, and the memory of the simulated tasks doubles with each that failed."""
    task, node = m.graph.task(fact.node), m.state.node(fact.node)
    assert task is not None
    decided = {name for name in task.formulas if name in AT_QUEUE}
    _check(set(fact.chosen or {}) == decided, "each attempt is made with what its formulas gave")
    if "resources.memory_bytes" in decided and fact.chosen is not None:
        memory = 1024 * 2 ** (node.user_failures + node.system_failures)
        _check(fact.chosen["resources.memory_bytes"] == memory, "a formula knows how many attempts have failed")


def check_state(m: Machine) -> None:
    """The state is consistent with itself."""
    state, graph = m.state, m.graph
    for number, scope in enumerate(state.scopes):
        plan, base = graph.plans[number], graph.bases[number]
        nodes = state.nodes[base : base + len(plan.nodes)]
        phases = [n.phase for n in nodes]
        _check(scope.remaining == [p.terminal for p in phases].count(False), "`remaining` counts")
        if scope.phase.terminal:
            _check(not scope.live and not scope.retrying, "nothing is under way in a scope that has ended")
            _check(UNDER_WAY.isdisjoint(phases), "no node of a scope that has ended is under way")
        for i, node in enumerate(nodes):
            _check_node(m, base + i, node, number)
    for address, node in state.items.items():
        _check_attempts(m, address, node)
    for number, mapping in state.maps.items():
        _check(mapping.succeeded == [PHASES[b].success for b in mapping.phases].count(True), "`succeeded` counts")
        kind = graph.nodes[number].kind
        assert isinstance(kind, MapKind)
        _check(mapping.active <= (kind.spec.concurrency or WINDOW), "concurrency is kept")
        if state.nodes[number].phase is NodePhase.SUCCEEDED:
            _check(mapping.succeeded >= kind.spec.needed(mapping.total), "enough items have succeeded")
        if state.nodes[number].phase.terminal:
            _check(not mapping.live and not mapping.retrying, "no item outlives its map")
    for address, body in state.bodies.items():
        still = {n for n in body.calls.values() if not state.scopes[n].phase.terminal}
        _check(body.open == still, "`open` holds the calls of a body that have not ended")
        owner = state.seen(address)
        _check(not (owner is None or owner.phase.terminal) or not still, "no call outlives its body")


def _check_node(m: Machine, address: int, node: NodeState, number: int) -> None:
    state, graph, base = m.state, m.graph, m.graph.bases[number]
    planned, scope = graph.nodes[address], state.scopes[number]
    if isinstance(planned.kind, BranchKind):
        under_way = False
        if node.arm >= 0:
            members = planned.kind.members[node.arm]
            waits = [state.nodes[base + i].phase.success for i in members].count(False)
            _check(node.phase.terminal or state.waits[address] == waits, "a branch waits for the nodes of its arm")
    else:
        if planned.arm is None:
            waits = [state.nodes[base + u].phase.success for u in planned.upstream].count(False)
            _check(state.waits[address] == waits, "`waits` counts")
        under_way = node.phase in UNDER_WAY and node.retry_at is None
    _check((address in scope.live) == under_way, "`live` holds nodes that are under way")
    _check((address in scope.retrying) == (node.retry_at is not None), "`retrying` holds nodes between attempts")
    gate = node.phase is NodePhase.RUNNING and isinstance(planned.kind, GateKind)
    _check((address in state.gates) == gate, "`gates` holds gates that wait")
    _check_attempts(m, address, node)


def _check_attempts(m: Machine, address: int, node: NodeState) -> None:
    if not node.attempts and not node.system_failures and not node.user_failures:
        return  # as most are: nothing of all this can be wrong
    task = m.graph.task(address)
    still = [a.phase in OPEN for a in node.attempts]
    _check(True not in still[:-1], "a node has one attempt at a time")
    _check((node.open_attempt is not None) == (True in still), "an open attempt is the last one")
    _check(not (node.phase.terminal and True in still), "an attempt does not outlive its node")
    if task is None or task.dynamic:
        return
    ended = [(a.phase, a.error.kind == "SYSTEM") for a in node.attempts if a.error is not None]
    lost = [system for _, system in ended].count(True)
    _check(node.system_failures == lost, "failures of the system are counted apart")
    _check(node.user_failures == len(ended) - lost, "failures of the user are counted apart")
    again = [system for phase, system in ended if phase is AttemptPhase.RETRYABLE_FAILED]
    system = again.count(True)
    _check(system <= SYSTEM.count, "the system's budget is kept")
    budget = 3 if "retry.count" in task.formulas else task.retry.count
    _check(len(again) - system <= budget, "the user's budget is kept")
    _check(len(node.attempts) <= len(again) + 1, "another attempt follows a retryable failure only")


def check_outstanding(world: World, wanted: list[Effect]) -> None:
    """What a restart performs (`wanted`) is what was asked for and has not ended."""
    m = world.machine
    state = m.state
    held = {(type(h), h.node, getattr(h, "attempt", -1)) for h in world.held if isinstance(h, _HELD)}
    asked = {(type(w), w.node, getattr(w, "attempt", -1)) for w in wanted if isinstance(w, _ASKED)}
    open_: set[tuple[type, int, int]] = {(Publish, n, -1) for n in world.publications}
    looking = world.lookups | {t.node for t in world.timers if t.kind == "lookup"}
    open_ |= {(Lookup, n, -1) for n in looking if m.looking(n)}
    open_ |= {(Cancel if world.attempts[key].cancelled else Submit, *key) for key in world.open(world.attempts)}
    if not state.phase.terminal:
        waiting = set(world.open((node, attempt) for _, node, attempt in held))
        both = open_ | {h for h in held if h[0] is Publish or h[1:] in waiting}
        both -= {(Submit, n, a) for kind, n, a in both if kind is Cancel}  # to be cancelled before it was submitted
        expected = {o for o in both if o[0] is not Publish or o[1] in state.publishing}
        if asked != expected:
            raise Broken(f"not true: outstanding is {expected - asked} more, {asked - expected} less")
    _check_timers(world, [w for w in wanted if isinstance(w, SetTimer)])


def _check_timers(world: World, wanted: list[SetTimer]) -> None:
    """A timer that was set and would change something must come back after a restart, and no other may."""
    m = world.machine
    for timer in wanted:
        if timer not in world.timers_ever:
            raise Broken(f"not true: {timer} was set before the restart")
    forgotten = [timer for timer in world.timers if timer.kind != "lookup" and timer not in wanted]
    if forgotten:
        state = decode_state(encode_state(m.state))
        other = Machine(graph_of(Graph(m.plan, m.graph.templates), state), m.inputs, state)
        other.loaded = dict(m.loaded)
        for node in other.unread():
            other.mapped[node] = m.mapped[node]
        for timer in forgotten:  # one that has no facts leaves the state as it is, for the next
            other.step(e.TimerFired(timer.due, timer.kind, timer.node, timer.attempt))
            if other.take_facts():
                raise Broken(f"not true: a restart forgets {timer}")


def check_end(world: World) -> None:
    """What must be true of an execution that has ended."""
    m = world.machine
    state = m.state
    _check(not world.said, "the end is durable")
    world.check_facts()
    if world.rng.random() < END_SHARE:
        world.check_snapshot()
    _check(not world.granted, "what the catalog granted is published or given back")
    ends: list[tuple[int, int]] = []
    queued: list[tuple[int, int]] = []
    answers: list[str] = []
    for fact in world.durable:
        if isinstance(fact, AttemptQueued):
            queued.append((fact.node, fact.attempt))
        elif isinstance(fact, _ENDS) and fact.attempt >= 0:
            ends.append((fact.node, fact.attempt))
        elif isinstance(fact, SignalKept):
            answers.append(fact.id)
    queued.sort()
    _check(len(set(queued)) == len(queued), "every attempt was made once")
    if sorted(ends) != queued:
        raise Broken(f"not true: every attempt ended, once: {sorted(ends)} of {queued}")
    by_node: dict[int, list[int]] = {}
    for node, number in queued:
        by_node.setdefault(node, []).append(number)
    for numbers in by_node.values():
        _check(numbers == list(range(len(numbers))), "attempts are numbered without gaps")
    root = state.nodes[: len(m.plan.nodes)]
    if state.phase is ExecutionPhase.SUCCEEDED:
        _check(all(n.phase.success or n.phase is NodePhase.SKIPPED for n in root), "a success has all its nodes")
        outputs = state.outputs or {}
        _check(list(outputs) == [v.name for v in m.plan.interface.outputs], "a success has all its outputs")
    if state.phase in (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT):
        _check(state.error is not None, "a failure has its reason")
    _check(all(scope.phase.terminal for scope in state.scopes), "every scope has ended")
    for scope, plan in zip(state.scopes, m.graph.plans, strict=True):
        if plan.handler is not None and scope.began_at is not None and scope.phase is not ExecutionPhase.SUCCEEDED:
            _check(scope.handler >= 0, "the failure handler ran")
    _check(len(set(answers)) == len(answers), "an answer is taken once")
    _check(m.outstanding() == [], "nothing is outstanding at the end")
    _check(world.finished >= 1, "the end was told")
