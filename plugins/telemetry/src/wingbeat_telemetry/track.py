"""From events to what began and ended, with how long it took: for both observers. Pure, and bounded: of what is over, nothing is
kept."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from wingbeat.contracts.observer import Published
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase

EXECUTIONS_MAX = 50_000
NODES_MAX = 500_000
"""Under way at once; of what is beyond, it is not known when it began."""
CHILDREN_MAX = 50_000

SUSPENDED = "SUSPENDED"
"""How a turn of a dynamic workflow's body ends that waits."""
_EXECUTION_END = frozenset(phase for phase in ExecutionPhase if phase.terminal)
_NODE_END = frozenset(phase for phase in NodePhase if phase.terminal)
_ATTEMPT_END = {
    NodePhase.SUCCEEDED: AttemptPhase.SUCCEEDED,
    NodePhase.FAILED: AttemptPhase.FAILED,
    NodePhase.TIMED_OUT: AttemptPhase.FAILED,
    NodePhase.ABORTED: AttemptPhase.ABORTED,
}


class Began(Struct, gc=False):
    """Something began. `queued_s` is how long an attempt had waited for that."""

    kind: str
    name: str
    queued_s: float = 0.0
    again: bool = False


class Ended(Struct):
    """Something is over.

    Attributes:
        kind: ``execution``, ``node`` or ``attempt``.

        name: Of the task or workflow.

        parent: Node around the node; empty for one of the execution itself.

        earlier: Number of the attempt before, which this one follows; -1 for the first.

        began_at: None if it never began, or nobody knows when.

        caller: ``execution/node`` that launched the execution, if one did.

        item: Whether the node is an item of a map.
    """

    kind: str
    execution: str
    name: str
    phase: str
    ended_at: float
    began_at: float | None = None
    node: str = ""
    attempt: int = -1
    parent: str = ""
    earlier: int = -1
    queued_at: float | None = None
    reason: str = ""
    cache: str = ""
    error: dict[str, Any] | None = None
    evidence: dict[str, Any] = {}
    caller: str = ""
    again: bool = False
    item: bool = False


Change = Began | Ended


class _Node(Struct):
    name: str
    began_at: float
    attempt: int = -1
    earlier: int = -1
    queued_at: float = 0.0
    started_at: float | None = None
    evidence: dict[str, Any] = {}
    scope: bool = False
    mapped: bool = False


class _Execution(Struct):
    name: str
    began_at: float | None
    caller: str = ""
    nodes: dict[str, _Node] = {}
    over: set[str] = set()
    """Scopes that have ended: the node with the same id, if there is one, has ended with it."""


class Tracker:
    """What is under way."""

    def __init__(self) -> None:
        self._executions: dict[str, _Execution] = {}
        self._callers: dict[str, str] = {}
        self._nodes = 0

    def take(self, event: Published) -> list[Change]:
        """What an event begins and ends."""
        execution = self._executions.get(event.execution)
        if event.kind == "execution":
            return self._turn(execution, event)
        if execution is None:
            execution = self._open(event.execution, _Execution("", None))
        if event.kind == "attempt":
            return self._attempt(execution, event)
        if event.kind == "scope":
            return self._scope(execution, event)
        if event.kind == "node":
            return self._node(execution, event)
        return []

    def _open(self, id: str, execution: _Execution) -> _Execution:
        if len(self._executions) >= EXECUTIONS_MAX:  # the oldest: its end may have been missed
            self._nodes -= len(self._executions.pop(next(iter(self._executions))).nodes)
        self._executions[id] = execution
        return execution

    def _turn(self, execution: _Execution | None, event: Published) -> list[Change]:
        if event.phase in _EXECUTION_END:
            execution = self._executions.pop(event.execution, None) or _Execution("", None)
            self._nodes -= len(execution.nodes)
            return [
                Ended(
                    "execution", event.execution, execution.name or event.task, event.phase, event.at, execution.began_at,
                    reason=event.reason, error=event.error, caller=execution.caller,
                )
            ]  # fmt: skip
        if event.phase != ExecutionPhase.RUNNING or (execution is not None and execution.began_at is not None):
            return []
        if execution is None:
            execution = self._open(event.execution, _Execution(event.task, event.at))
        execution.name, execution.began_at = event.task, event.at
        execution.caller = self._callers.pop(event.execution, "")
        return [Began("execution", event.task, again=event.again)]

    def _of(self, execution: _Execution, event: Published) -> _Node | None:
        """The node of an event, under way from now on if it was not; None if there are too many."""
        node = execution.nodes.get(event.node)
        if node is None and self._nodes < NODES_MAX:
            node = execution.nodes[event.node] = _Node(event.task, event.at)
            self._nodes += 1
        return node

    def _attempt(self, execution: _Execution, event: Published) -> list[Change]:
        node = self._of(execution, event)
        if node is None:
            return []
        if event.phase == AttemptPhase.QUEUED:
            node.name = event.task or node.name  # the only node of a scope has its id
            node.attempt, node.queued_at, node.started_at = event.attempt, event.at, None
        elif event.phase == AttemptPhase.RUNNING:
            if node.attempt != event.attempt:
                node.attempt, node.queued_at = event.attempt, event.at
            node.started_at, node.evidence = event.at, event.evidence
            return [Began("attempt", node.name, event.at - node.queued_at, event.again)]
        elif event.phase == AttemptPhase.RETRYABLE_FAILED:
            return self._end_attempt(node, event, event.phase)
        return []

    def _end_attempt(self, node: _Node, event: Published, phase: str) -> list[Change]:
        if node.attempt < 0:
            return []
        ended = Ended(
            "attempt", event.execution, node.name, phase, event.at, node.started_at, event.node, node.attempt,
            earlier=node.earlier, queued_at=node.queued_at, reason=event.reason, error=event.error, evidence=node.evidence,
            again=event.again,
        )  # fmt: skip
        node.attempt, node.earlier, node.started_at, node.evidence = -1, node.attempt, None, {}
        return [ended]

    def _scope(self, execution: _Execution, event: Published) -> list[Change]:
        if event.phase == ExecutionPhase.RUNNING:
            node = self._of(execution, event)
            if node is not None:
                node.scope = True
        elif event.phase in _EXECUTION_END and event.node in execution.nodes:
            execution.over.add(event.node)
            return [self._end_node(execution, event, event.phase)]
        return []

    def _node(self, execution: _Execution, event: Published) -> list[Change]:
        if event.phase not in _NODE_END:
            child = event.evidence.get("child")
            if child is not None and len(self._callers) < CHILDREN_MAX:
                self._callers[child] = f"{event.execution}/{event.node}"
            node = self._of(execution, event)
            if node is None:
                return []
            node.mapped = node.mapped or "items" in event.evidence
            if event.phase != NodePhase.DYNAMIC_RUNNING:
                return []
            return self._end_attempt(node, event, SUSPENDED)
        if event.node in execution.over:
            execution.over.discard(event.node)
            return []
        node = execution.nodes.get(event.node)
        if node is None and event.phase == NodePhase.SKIPPED:
            return []
        changes = (
            self._end_attempt(node, event, _ATTEMPT_END.get(NodePhase(event.phase), "")) if node is not None else []
        )
        if node is None or not node.scope:
            changes.append(self._end_node(execution, event, event.phase))
        return changes

    def _end_node(self, execution: _Execution, event: Published, phase: str) -> Ended:
        node = execution.nodes.pop(event.node, None)
        self._nodes -= node is not None
        parent, _, last = event.node.rpartition(".")
        around = execution.nodes.get(parent)
        item = around is not None and around.mapped and last.isdecimal()
        while parent and parent not in execution.nodes:
            parent = parent.rpartition(".")[0]
        return Ended(
            "node", event.execution, event.task or (node.name if node is not None else ""), phase, event.at,
            None if node is None else node.began_at, event.node, parent=parent, reason=event.reason, cache=event.cache,
            error=event.error, again=event.again, item=item,
        )  # fmt: skip
