"""Phases of executions, nodes and attempts. Flyte's words; enums that equal their strings."""

from __future__ import annotations

import enum


class ExecutionPhase(enum.StrEnum):
    """Where an execution is. The last four are terminal."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDING = "SUCCEEDING"
    FAILING = "FAILING"
    ABORTING = "ABORTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in _EXECUTION_TERMINAL


class NodePhase(enum.StrEnum):
    """Where a node is. From SUCCEEDED on, terminal."""

    NOT_STARTED = "NOT_STARTED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DYNAMIC_RUNNING = "DYNAMIC_RUNNING"
    FAILING = "FAILING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    SKIPPED = "SKIPPED"
    TIMED_OUT = "TIMED_OUT"
    RECOVERED = "RECOVERED"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in _NODE_TERMINAL

    @property
    def success(self) -> bool:
        """Whether the node has outputs."""
        return self in _NODE_SUCCESS


class AttemptPhase(enum.StrEnum):
    """Where an attempt is. The last four are terminal."""

    QUEUED = "QUEUED"
    WAITING_FOR_RESOURCES = "WAITING_FOR_RESOURCES"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    RETRYABLE_FAILED = "RETRYABLE_FAILED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class CacheStatus(enum.StrEnum):
    """What the catalog had to do with a node."""

    DISABLED = "DISABLED"
    MISS = "MISS"
    HIT = "HIT"
    POPULATED = "POPULATED"
    LOOKUP_FAILURE = "LOOKUP_FAILURE"
    PUT_FAILURE = "PUT_FAILURE"
    SKIPPED = "SKIPPED"


_EXECUTION_TERMINAL = frozenset(
    {ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.ABORTED, ExecutionPhase.TIMED_OUT}
)
_NODE_SUCCESS = frozenset({NodePhase.SUCCEEDED, NodePhase.RECOVERED})
_NODE_TERMINAL = frozenset(
    {
        NodePhase.SUCCEEDED,
        NodePhase.FAILED,
        NodePhase.ABORTED,
        NodePhase.SKIPPED,
        NodePhase.TIMED_OUT,
        NodePhase.RECOVERED,
    }
)
