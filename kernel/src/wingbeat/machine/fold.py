"""Facts become true. `apply` is the only function that changes a state; folding the facts of a journal gives it again."""

from __future__ import annotations

from typing import Any

import msgspec

from wingbeat.machine import transitions
from wingbeat.machine.fact import (
    AttemptLost,
    AttemptQueued,
    AttemptStarted,
    Began,
    BodyEnded,
    CacheSaid,
    CancelDecided,
    Chose,
    Expanded,
    Fact,
    Granted,
    ItemsDue,
    Lined,
    NodeEnded,
    NodeSucceeded,
    Opened,
    SignalKept,
    Started,
    Suspended,
    Turned,
    Woke,
)
from wingbeat.machine.graph import HANDLER, Graph, is_item, item_address, item_of, node_of
from wingbeat.machine.state import (
    PHASES,
    AttemptState,
    BodyState,
    MapState,
    NodeState,
    Scope,
    State,
    initial,
    waits,
)
from wingbeat.spec.literal import Inline, LiteralList, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, GateKind, MapKind

_BYTE = {phase: i for i, phase in enumerate(PHASES)}
_NONE = Inline(None)


def replay(graph: Graph, facts: list[Fact], state: State | None = None) -> State:
    """Fold facts, from the beginning or from a snapshot."""
    folded = initial(graph.plan) if state is None else state
    for fact in facts:
        _APPLY[type(fact)](graph, folded, fact)
    return folded


def apply(graph: Graph, state: State, fact: Fact) -> None:
    """Make a fact true in `state`.

    Raises:
        ForbiddenTransition: The tables do not list what it asks for.
    """
    _APPLY[type(fact)](graph, state, fact)


def _began(graph: Graph, state: State, fact: Began) -> None:
    root = state.scopes[0]
    root.phase = transitions.execution(root.phase, ExecutionPhase.RUNNING)
    root.began_at, state.seed = fact.at, fact.seed
    state.reusable, state.source, state.left = dict(fact.reusable), fact.source, fact.left
    state.moved, state.lined = fact.moved, None


def _lined(graph: Graph, state: State, fact: Lined) -> None:
    state.lined = fact


# -- attempts


def _queued(graph: Graph, state: State, fact: AttemptQueued) -> None:
    address = fact.node
    if is_item(address):
        node, mapping = _begin_item(state, address)
        live, retrying = mapping.live, mapping.retrying
    else:
        node, scope = state.nodes[address], state.scopes[graph.scope_of(address)]
        live, retrying = scope.live, scope.retrying
    if fact.attempt != node.turns + len(node.attempts):
        raise transitions.ForbiddenTransition(f"attempt {fact.attempt} after {node.next_attempt} attempts")
    dynamic = state.bodies.get(address)
    if dynamic is None:
        node.phase = transitions.node(node.phase, NodePhase.QUEUED)
        if not graph.plan.plain or len(state.scopes) > 1:
            task = graph.task(address)
            if task is not None and task.dynamic:
                state.bodies[address] = BodyState()
                node.began_at = fact.at
    else:
        dynamic.seen, dynamic.suspended, dynamic.wake_at = len(dynamic.history), False, None
        if node.phase is not NodePhase.DYNAMIC_RUNNING:
            node.phase = transitions.node(node.phase, NodePhase.QUEUED)
    node.attempts.append(AttemptState(AttemptPhase.QUEUED, fact.at, number=fact.attempt, chosen=fact.chosen))
    node.retry_at, node.publish = None, fact.publish
    retrying.discard(address)
    live.add(address)


def _granted(graph: Graph, state: State, fact: Granted) -> None:
    state.node(fact.node).attempts[-1].granted = True


def _started(graph: Graph, state: State, fact: AttemptStarted) -> None:
    node = state.node(fact.node)
    attempt = node.attempts[-1]
    if node.phase is not NodePhase.DYNAMIC_RUNNING:
        running = NodePhase.DYNAMIC_RUNNING if fact.node in state.bodies else NodePhase.RUNNING
        node.phase = transitions.node(node.phase, running)
    attempt.phase = transitions.attempt(attempt.phase, AttemptPhase.RUNNING)
    attempt.started_at, attempt.evidence = fact.at, fact.evidence


def _lost(graph: Graph, state: State, fact: AttemptLost) -> None:
    node = state.node(fact.node)
    attempt = node.attempts[-1]
    if fact.retry_at is not None:
        after = AttemptPhase.RETRYABLE_FAILED
    else:
        after = AttemptPhase.ABORTED if fact.phase == NodePhase.ABORTED else AttemptPhase.FAILED
    attempt.phase = transitions.attempt(attempt.phase, after)
    attempt.ended_at, attempt.error = fact.at, fact.error
    node.reason = fact.error.message
    if fact.system:
        node.system_failures += 1
    else:
        node.user_failures += 1
    live, retrying = state.under_way(graph, fact.node)
    live.discard(fact.node)
    body = state.bodies.get(fact.node)
    if fact.retry_at is not None:
        node.phase = transitions.node(node.phase, NodePhase.QUEUED)
        node.retry_at = fact.retry_at
        retrying.add(fact.node)
        if body is not None and not fact.system:
            _begin_again(state, body, fact.retry_at)
        return
    _end(graph, state, fact.node, NodePhase(fact.phase), fact.at, fact.error)


def _begin_again(state: State, body: BodyState, at: float) -> None:
    """A body that failed by itself is run anew: what follows from a failure that does not come again was not, so only results are
    kept."""
    succeeded = {
        key: scope for key, scope in body.calls.items() if state.scopes[scope].phase is ExecutionPhase.SUCCEEDED
    }
    body.kept, body.calls, body.history, body.seen = {**body.kept, **succeeded}, {}, [], 0
    body.ended, body.outputs, body.error, body.began_at = False, None, None, at


def _cancel_decided(graph: Graph, state: State, fact: CancelDecided) -> None:
    node = state.node(fact.node)
    if fact.attempt < 0:
        node.stop, node.reason = fact.cause, fact.reason
        live, retrying = state.under_way(graph, fact.node)
        if fact.node in retrying:  # a body between attempts, which is under way as long as what it called is
            retrying.discard(fact.node)
            live.add(fact.node)
            node.retry_at = None
        return
    attempt = node.attempts[-1]
    attempt.cancel, attempt.cancel_reason = fact.cause, fact.reason


# -- ends of nodes and items


def _succeeded(graph: Graph, state: State, fact: NodeSucceeded) -> None:
    address, mapping = fact.node, None
    if is_item(address):
        node, mapping = _begin_item(state, address)
    else:
        node = state.nodes[address]
    hit = fact.cache == CacheStatus.HIT
    recovered = fact.attempt < 0 and not hit and node.phase is NodePhase.NOT_STARTED
    node.phase = transitions.node(node.phase, NodePhase.RECOVERED if recovered else NodePhase.SUCCEEDED)
    if recovered and state.reusable and mapping is None:
        state.reusable.pop(fact.taken or graph.id(address), None)
    if fact.attempt >= 0:
        attempt = node.attempts[-1]
        attempt.phase = transitions.attempt(attempt.phase, AttemptPhase.SUCCEEDED)
        attempt.ended_at = fact.at
        if fact.evidence:
            attempt.evidence = {**attempt.evidence, **fact.evidence} if attempt.evidence else fact.evidence
        if node.publish:
            state.publishing.add(address)
        node.reason = ""
    if fact.cache:
        node.cache = fact.cache
    node.outputs, node.ended_at, node.source = fact.outputs, fact.at, fact.source
    if mapping is not None:
        _compact(state, mapping, address, node, hit)
        return
    scope_number = graph.scope_of(address)
    scope = state.scopes[scope_number]
    scope.live.discard(address)
    scope.remaining -= 1
    planned = graph.nodes[address]
    if planned.kind is not None:
        if address in state.maps:
            node.outputs = _collected(graph, state, address)
        _take_signal(graph, state, address)
    base = graph.bases[scope_number] if scope_number else 0
    for downstream in planned.downstream:
        state.waits[base + downstream] -= 1


def _ended(graph: Graph, state: State, fact: NodeEnded) -> None:
    if is_item(fact.node):
        _begin_item(state, fact.node)
    node = state.node(fact.node)
    node.reason, node.retry_at = fact.reason, None
    error = fact.error
    if error is None and fact.phase == NodePhase.TIMED_OUT:
        error = ErrorInfo("TimedOut", fact.reason, retryable=False)
    live, retrying = state.under_way(graph, fact.node)
    retrying.discard(fact.node)
    live.discard(fact.node)
    _end(graph, state, fact.node, NodePhase(fact.phase), fact.at, error)


def _end(graph: Graph, state: State, address: int, phase: NodePhase, at: float, error: ErrorInfo | None) -> None:
    """A node or item has ended without outputs."""
    node = state.node(address)
    node.phase = transitions.node(node.phase, phase)
    node.ended_at = at
    if is_item(address):
        mapping = state.maps[node_of(address)]
        if phase is not NodePhase.ABORTED and (error is not None) and mapping.first_error is None:
            mapping.first_error, mapping.first_failed = error, item_of(address)
        _compact(state, mapping, address, node, hit=False)
        return
    scope = state.scopes[graph.scope_of(address)]
    scope.remaining -= 1
    if phase is NodePhase.FAILED:
        _take_signal(graph, state, address)
    state.gates.discard(address)
    running = scope.phase is ExecutionPhase.RUNNING
    if scope.error is None and error is not None and phase is not NodePhase.ABORTED and running:
        # the first node that fails by itself decides why the scope fails
        scope.error = error if error.node else msgspec.structs.replace(error, node=graph.id(address))


# -- maps


def _begin_item(state: State, address: int) -> tuple[NodeState, MapState]:
    """An item that is under way has a state like a node; the catalog has answered."""
    found = state.items.get(address)
    mapping = state.maps[node_of(address)]
    if found is None:
        found = state.items[address] = NodeState()
        if address not in mapping.looking:
            mapping.upto += 1
    mapping.looking.discard(address)
    return found, mapping


def _compact(state: State, mapping: MapState, address: int, node: NodeState, hit: bool) -> None:
    """Keep of an item that has ended what its map needs."""
    item = item_of(address)
    mapping.phases[item] = _BYTE[node.phase]
    mapping.live.discard(address)
    mapping.retrying.discard(address)
    if node.phase.success:
        mapping.succeeded += 1
        mapping.cached += hit
        assert node.outputs is not None
        for name, values in mapping.outputs.items():
            values[item] = node.outputs[name]
    elif node.phase is not NodePhase.ABORTED:
        mapping.failed += 1
    if address not in state.publishing:
        del state.items[address]


def _collected(graph: Graph, state: State, number: int) -> Literals:
    """The outputs of a map: lists in the order of its items."""
    mapping = state.maps[number]
    found: Literals = {}
    for name, values in mapping.outputs.items():
        whole = [_NONE if value is None else value for value in values]
        plain = [value.value for value in whole if isinstance(value, Inline)]
        found[name] = Inline(plain) if len(plain) == len(whole) else LiteralList(tuple(whole))
    mapping.outputs = {}
    return found


def _expanded(graph: Graph, state: State, fact: Expanded) -> None:
    kind = graph.nodes[fact.node].kind
    assert isinstance(kind, MapKind)
    _under_way(graph, state, fact.node, fact.at)
    state.maps[fact.node] = MapState(
        fact.count, bytearray(fact.count), {name: [None] * fact.count for name in kind.outputs}
    )


def _items_due(graph: Graph, state: State, fact: ItemsDue) -> None:
    mapping = state.maps[fact.node]
    first = mapping.upto if fact.first < 0 else fact.first
    mapping.looking.update(item_address(fact.node, item) for item in range(first, fact.upto))
    mapping.upto += fact.upto - first


# -- what holds no process


def _node_started(graph: Graph, state: State, fact: Started) -> None:
    _under_way(graph, state, fact.node, fact.at)
    if isinstance(graph.nodes[node_of(fact.node)].kind, GateKind):
        state.gates.add(fact.node)


def _under_way(graph: Graph, state: State, address: int, at: float) -> None:
    node = _begin_item(state, address)[0] if is_item(address) else state.nodes[address]
    node.phase = transitions.node(node.phase, NodePhase.RUNNING)
    node.began_at = at
    state.under_way(graph, address)[0].add(address)


def _take_signal(graph: Graph, state: State, address: int) -> None:
    """A gate has used the signal that was for it."""
    if address not in state.gates:
        return
    state.gates.discard(address)
    kind = graph.nodes[address].kind
    if isinstance(kind, GateKind):
        state.signals.pop(kind.spec.name, None)
        state.signals.pop(graph.id(address), None)


def _signal_kept(graph: Graph, state: State, fact: SignalKept) -> None:
    state.signals[fact.name] = fact.value
    state.answered.add(fact.id)


def _chose(graph: Graph, state: State, fact: Chose) -> None:
    kind = graph.nodes[fact.node].kind
    assert isinstance(kind, BranchKind)
    branch = state.nodes[fact.node]
    branch.phase = transitions.node(branch.phase, NodePhase.RUNNING)  # and is not live: its members are, while they run
    branch.began_at = fact.at
    scope = state.scopes[graph.scope_of(fact.node)]
    base = graph.base_of(fact.node)
    state.nodes[fact.node].arm = fact.arm
    for arm, members in enumerate(kind.members):
        if arm == fact.arm:
            state.waits[fact.node] = len(members)
            for member in members:
                state.waits[base + member] -= 1
        else:
            for member in kind.inside[arm]:
                node = state.nodes[base + member]
                node.phase = transitions.node(node.phase, NodePhase.SKIPPED)
                node.ended_at, node.reason = fact.at, "another arm of its branch was taken"
                scope.remaining -= 1


# -- scopes


def _opened(graph: Graph, state: State, fact: Opened) -> None:
    plan = graph.template(fact.parent, fact.template, fact.handler_of)
    number = len(state.scopes)
    if fact.handler_of >= 0:
        above = state.scopes[fact.handler_of]
        above.handler = number
        prefix = f"{above.prefix}.{HANDLER}" if above.prefix else HANDLER
    elif fact.key:
        again = graph.calls.get((fact.parent, fact.key), 0) if plan.nodes else 0
        prefix = f"{graph.id(fact.parent)}.{fact.key}" + (f"~{again}" if again else "")
    else:
        prefix = graph.id(fact.parent)
    graph.open(plan, prefix, fact.parent, fact.key, fact.handler_of)
    state.nodes += [NodeState() for _ in plan.nodes]
    state.waits += waits(plan)
    scope = Scope(
        len(plan.nodes), ExecutionPhase.RUNNING, fact.parent, fact.key, fact.template, fact.handler_of,
        inputs=fact.inputs, began_at=fact.at, prefix=prefix,
    )  # fmt: skip
    state.scopes.append(scope)
    body = state.bodies.get(fact.parent) if fact.key else None
    if body is not None:
        body.calls[fact.key] = number
        body.open.add(number)
    elif fact.handler_of < 0:
        _under_way(graph, state, fact.parent, fact.at)


def _turned(graph: Graph, state: State, fact: Turned) -> None:
    scope = state.scopes[fact.scope]
    scope.phase = transitions.execution(scope.phase, ExecutionPhase(fact.phase))
    if fact.reason:
        scope.reason = fact.reason
    if fact.error is not None and scope.error is None:
        scope.error = fact.error
    if fact.outputs is not None:
        scope.outputs = fact.outputs
    if not scope.phase.terminal:
        return
    scope.ended_at = fact.at
    if fact.scope == 0:
        state.lined = None
        state.publishing.clear()
        state.items.clear()
    elif scope.key and (body := state.bodies.get(scope.parent)) is not None:
        body.open.discard(fact.scope)
        body.history.append(fact.scope)


# -- bodies of dynamic workflows


def _suspended(graph: Graph, state: State, fact: Suspended) -> None:
    node, body = state.node(fact.node), state.bodies[fact.node]
    node.attempts.pop()
    node.turns += 1
    node.system_failures = 0  # it has got on: what is to be survived is counted from here
    if node.phase is not NodePhase.DYNAMIC_RUNNING:
        node.phase = transitions.node(node.phase, NodePhase.DYNAMIC_RUNNING)
    body.suspended, body.wake_at = True, fact.wake_at


def _woke(graph: Graph, state: State, fact: Woke) -> None:
    body = state.bodies[fact.node]
    body.wake_at = None
    body.history.append(float(fact.at))


def _body_ended(graph: Graph, state: State, fact: BodyEnded) -> None:
    body = state.bodies[fact.node]
    body.ended, body.outputs, body.error, body.evidence = True, fact.outputs, fact.error, fact.evidence


def _cache_said(graph: Graph, state: State, fact: CacheSaid) -> None:
    address = fact.node
    published = address in state.publishing
    if is_item(address) and not published:
        _begin_item(state, address)
    node = state.node(address)
    node.cache = fact.status
    if fact.status != CacheStatus.POPULATED:  # which leaves standing why it had been missed
        node.cache_reason = fact.reason
    state.publishing.discard(address)
    if is_item(address) and published:
        del state.items[address]
    elif is_item(address):
        state.maps[node_of(address)].looking.add(address)  # until its attempt is queued


_APPLY: dict[type, Any] = {
    Began: _began,
    AttemptQueued: _queued,
    Granted: _granted,
    AttemptStarted: _started,
    AttemptLost: _lost,
    NodeSucceeded: _succeeded,
    NodeEnded: _ended,
    CacheSaid: _cache_said,
    CancelDecided: _cancel_decided,
    Turned: _turned,
    Started: _node_started,
    Expanded: _expanded,
    ItemsDue: _items_due,
    Chose: _chose,
    Opened: _opened,
    Suspended: _suspended,
    BodyEnded: _body_ended,
    SignalKept: _signal_kept,
    Woke: _woke,
    Lined: _lined,
}
