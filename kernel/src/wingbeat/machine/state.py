"""The state of one execution: the fold of its facts, and nothing that cannot be folded again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.machine import transitions
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
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import Plan


class AttemptState(Struct, array_like=True, gc=False):
    """One attempt of a node. `error` is why it ended without outputs, `cancel` the cause for which it is to be stopped."""

    phase: AttemptPhase
    queued_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: ErrorInfo | None = None
    cancel: str = ""
    cancel_reason: str = ""
    evidence: dict[str, Any] | None = None


class NodeState(Struct, array_like=True, gc=False):
    """One node. Attempts count from 0; failures are counted apart for users and systems."""

    phase: NodePhase = NodePhase.NOT_STARTED
    attempts: list[AttemptState] = []
    user_failures: int = 0
    system_failures: int = 0
    retry_at: float | None = None
    outputs: Literals | None = None
    cache: str = ""
    cache_reason: str = ""
    reason: str = ""
    source: str = ""
    publish: bool = False
    ended_at: float | None = None


class State(Struct, array_like=True):
    """One execution.

    Attributes:
        waits: For each node, how many upstream nodes have not succeeded yet.

        live: Nodes with an attempt that has not ended.

        retrying: Nodes between attempts.

        publishing: Nodes whose outputs are on their way to the catalog.

        remaining: How many nodes have not ended.
    """

    nodes: list[NodeState]
    waits: list[int]
    remaining: int
    phase: ExecutionPhase = ExecutionPhase.QUEUED
    seed: int = 0
    began_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    outputs: Literals | None = None
    live: set[int] = set()
    retrying: set[int] = set()
    publishing: set[int] = set()


def initial(plan: Plan) -> State:
    """Before anything happened."""
    return State(
        nodes=[NodeState() for _ in plan.nodes],
        waits=[len(node.upstream) for node in plan.nodes],
        remaining=len(plan.nodes),
    )


def encode_state(state: State) -> bytes:
    """As a snapshot."""
    return msgspec.msgpack.encode(state)


def decode_state(data: bytes) -> State:
    """From a snapshot."""
    return msgspec.msgpack.decode(data, type=State)


def replay(plan: Plan, facts: list[Fact], state: State | None = None) -> State:
    """Fold facts, from the beginning or from a snapshot."""
    folded = initial(plan) if state is None else state
    for fact in facts:
        apply(plan, folded, fact)
    return folded


def apply(plan: Plan, state: State, fact: Fact) -> None:
    """Make a fact true in `state`. The only function that changes a state.

    Raises:
        ForbiddenTransition: The tables do not list what it asks for.
    """
    _APPLY[type(fact)](plan, state, fact)


def _began(plan: Plan, state: State, fact: Began) -> None:
    state.phase = transitions.execution(state.phase, ExecutionPhase.RUNNING)
    state.began_at, state.seed = fact.at, fact.seed


def _queued(plan: Plan, state: State, fact: AttemptQueued) -> None:
    node = state.nodes[fact.node]
    if fact.attempt != len(node.attempts):
        raise transitions.ForbiddenTransition(f"attempt {fact.attempt} after {len(node.attempts)} attempts")
    node.phase = transitions.node(node.phase, NodePhase.QUEUED)
    node.attempts.append(AttemptState(AttemptPhase.QUEUED, fact.at))
    node.retry_at, node.publish = None, fact.publish
    state.retrying.discard(fact.node)
    state.live.add(fact.node)


def _started(plan: Plan, state: State, fact: AttemptStarted) -> None:
    node = state.nodes[fact.node]
    attempt = node.attempts[fact.attempt]
    node.phase = transitions.node(node.phase, NodePhase.RUNNING)
    attempt.phase = transitions.attempt(attempt.phase, AttemptPhase.RUNNING)
    attempt.started_at, attempt.evidence = fact.at, fact.evidence


def _lost(plan: Plan, state: State, fact: AttemptLost) -> None:
    node = state.nodes[fact.node]
    attempt = node.attempts[fact.attempt]
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
    state.live.discard(fact.node)
    if fact.retry_at is not None:
        node.phase = transitions.node(node.phase, NodePhase.QUEUED)
        node.retry_at = fact.retry_at
        state.retrying.add(fact.node)
    else:
        node.phase = transitions.node(node.phase, NodePhase(fact.phase))
        node.ended_at = fact.at
        state.remaining -= 1
        _blame(plan, state, fact.node, fact.error)


def _blame(plan: Plan, state: State, i: int, error: ErrorInfo) -> None:
    """The first node that fails by itself decides why the execution fails."""
    phase = state.nodes[i].phase
    if state.error is None and phase is not NodePhase.ABORTED and state.phase is ExecutionPhase.RUNNING:
        state.error = msgspec.structs.replace(error, node=plan.nodes[i].id)


def _succeeded(plan: Plan, state: State, fact: NodeSucceeded) -> None:
    node = state.nodes[fact.node]
    recovered = fact.attempt < 0 and fact.cache != CacheStatus.HIT
    node.phase = transitions.node(node.phase, NodePhase.RECOVERED if recovered else NodePhase.SUCCEEDED)
    if fact.attempt >= 0:
        attempt = node.attempts[fact.attempt]
        attempt.phase = transitions.attempt(attempt.phase, AttemptPhase.SUCCEEDED)
        attempt.ended_at = fact.at
        if fact.evidence:
            attempt.evidence = {**(attempt.evidence or {}), **fact.evidence}
        state.live.discard(fact.node)
        if node.publish:
            state.publishing.add(fact.node)
        node.reason = ""
    if fact.cache:
        node.cache = fact.cache
    node.outputs, node.ended_at, node.source = fact.outputs, fact.at, fact.source
    state.remaining -= 1
    for downstream in plan.nodes[fact.node].downstream:
        state.waits[downstream] -= 1


def _ended(plan: Plan, state: State, fact: NodeEnded) -> None:
    node = state.nodes[fact.node]
    node.phase = transitions.node(node.phase, NodePhase(fact.phase))
    node.ended_at, node.reason, node.retry_at = fact.at, fact.reason, None
    state.retrying.discard(fact.node)
    state.remaining -= 1
    if node.phase is NodePhase.TIMED_OUT:
        _blame(plan, state, fact.node, ErrorInfo("TimedOut", fact.reason, retryable=False))


def _cache_said(plan: Plan, state: State, fact: CacheSaid) -> None:
    node = state.nodes[fact.node]
    node.cache = fact.status
    if fact.status != CacheStatus.POPULATED:  # which leaves standing why it had been missed
        node.cache_reason = fact.reason
    state.publishing.discard(fact.node)


def _cancel_decided(plan: Plan, state: State, fact: CancelDecided) -> None:
    attempt = state.nodes[fact.node].attempts[fact.attempt]
    attempt.cancel, attempt.cancel_reason = fact.cause, fact.reason


def _turned(plan: Plan, state: State, fact: Turned) -> None:
    state.phase = transitions.execution(state.phase, ExecutionPhase(fact.phase))
    if fact.reason:
        state.reason = fact.reason
    if fact.error is not None and state.error is None:
        state.error = fact.error
    if fact.outputs is not None:
        state.outputs = fact.outputs
    if state.phase.terminal:
        state.ended_at = fact.at
        state.publishing.clear()


_APPLY: dict[type, Any] = {
    Began: _began,
    AttemptQueued: _queued,
    AttemptStarted: _started,
    AttemptLost: _lost,
    NodeSucceeded: _succeeded,
    NodeEnded: _ended,
    CacheSaid: _cache_said,
    CancelDecided: _cancel_decided,
    Turned: _turned,
}
