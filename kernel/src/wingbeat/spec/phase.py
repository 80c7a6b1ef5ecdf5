"""Phases of executions, nodes and attempts. Flyte's words; enums that equal their strings."""

from __future__ import annotations

import enum


class ExecutionPhase(enum.StrEnum):
    """Where an execution is. The last four are terminal.

    Attributes:
        terminal: Whether nothing can follow.
    """

    terminal: bool

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDING = "SUCCEEDING"
    FAILING = "FAILING"
    ABORTING = "ABORTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    TIMED_OUT = "TIMED_OUT"


class NodePhase(enum.StrEnum):
    """Where a node is. From SUCCEEDED on, terminal.

    Attributes:
        terminal: Whether nothing can follow.

        success: Whether the node has outputs.
    """

    terminal: bool
    success: bool

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


_EXECUTION_TERMINAL = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
_NODE_SUCCESS = ("SUCCEEDED", "RECOVERED")
_NODE_TERMINAL = (*_NODE_SUCCESS, "FAILED", "ABORTED", "SKIPPED", "TIMED_OUT")

# Said once for each, not worked out at each of the many times that the machine asks.
for _execution in ExecutionPhase:
    _execution.terminal = _execution in _EXECUTION_TERMINAL
for _node in NodePhase:
    _node.terminal, _node.success = _node in _NODE_TERMINAL, _node in _NODE_SUCCESS
