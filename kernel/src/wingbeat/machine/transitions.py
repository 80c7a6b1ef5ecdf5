"""Which phase may follow which. The only place that says so; a test walks every pair."""

from __future__ import annotations

from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase

E, N, A = ExecutionPhase, NodePhase, AttemptPhase

EXECUTION: dict[ExecutionPhase, frozenset[ExecutionPhase]] = {
    E.QUEUED: frozenset({E.RUNNING, E.ABORTING}),
    E.RUNNING: frozenset({E.SUCCEEDING, E.SUCCEEDED, E.FAILING, E.ABORTING}),
    E.SUCCEEDING: frozenset({E.SUCCEEDED, E.FAILING, E.ABORTING}),
    E.FAILING: frozenset({E.FAILED, E.TIMED_OUT, E.ABORTING}),
    E.ABORTING: frozenset({E.ABORTED}),
    E.SUCCEEDED: frozenset(),
    E.FAILED: frozenset(),
    E.ABORTED: frozenset(),
    E.TIMED_OUT: frozenset(),
}

NODE: dict[NodePhase, frozenset[NodePhase]] = {
    N.NOT_STARTED: frozenset({N.QUEUED, N.RUNNING, N.SUCCEEDED, N.RECOVERED, N.SKIPPED, N.FAILED, N.ABORTED}),
    N.QUEUED: frozenset({N.QUEUED, N.RUNNING, N.DYNAMIC_RUNNING, N.SUCCEEDED, N.FAILED, N.ABORTED, N.TIMED_OUT}),
    N.RUNNING: frozenset({N.QUEUED, N.FAILING, N.SUCCEEDED, N.FAILED, N.ABORTED, N.TIMED_OUT}),
    N.DYNAMIC_RUNNING: frozenset({N.QUEUED, N.SUCCEEDED, N.FAILED, N.ABORTED, N.TIMED_OUT}),
    N.FAILING: frozenset({N.QUEUED, N.SUCCEEDED, N.FAILED, N.ABORTED, N.TIMED_OUT}),
    N.SUCCEEDED: frozenset(),
    N.FAILED: frozenset(),
    N.ABORTED: frozenset(),
    N.SKIPPED: frozenset(),
    N.TIMED_OUT: frozenset(),
    N.RECOVERED: frozenset(),
}

ATTEMPT: dict[AttemptPhase, frozenset[AttemptPhase]] = {
    A.QUEUED: frozenset({A.RUNNING, A.SUCCEEDED, A.RETRYABLE_FAILED, A.FAILED, A.ABORTED}),
    A.WAITING_FOR_RESOURCES: frozenset(
        {A.INITIALIZING, A.RUNNING, A.SUCCEEDED, A.RETRYABLE_FAILED, A.FAILED, A.ABORTED}
    ),
    A.INITIALIZING: frozenset(
        {A.WAITING_FOR_RESOURCES, A.RUNNING, A.SUCCEEDED, A.RETRYABLE_FAILED, A.FAILED, A.ABORTED}
    ),
    A.RUNNING: frozenset({A.SUCCEEDED, A.RETRYABLE_FAILED, A.FAILED, A.ABORTED}),
    A.SUCCEEDED: frozenset(),
    A.RETRYABLE_FAILED: frozenset(),
    A.FAILED: frozenset(),
    A.ABORTED: frozenset(),
}


class ForbiddenTransition(AssertionError):
    """A fact asks for a transition that the tables do not list: a bug in the machine, or a damaged journal."""


def node(before: NodePhase, after: NodePhase) -> NodePhase:
    """`after`, if a node may go there from `before`."""
    if after not in NODE[before]:
        raise ForbiddenTransition(f"node: {before} -> {after}")
    return after


def execution(before: ExecutionPhase, after: ExecutionPhase) -> ExecutionPhase:
    """`after`, if an execution may go there from `before`."""
    if after not in EXECUTION[before]:
        raise ForbiddenTransition(f"execution: {before} -> {after}")
    return after


def attempt(before: AttemptPhase, after: AttemptPhase) -> AttemptPhase:
    """`after`, if an attempt may go there from `before`."""
    if after not in ATTEMPT[before]:
        raise ForbiddenTransition(f"attempt: {before} -> {after}")
    return after
