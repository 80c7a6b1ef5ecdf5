"""Scopes: the execution itself, and each workflow that runs inside it with an end of its own (what a map or a dynamic workflow
calls, a workflow that keeps its own failure policy, a failure handler)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.machine import bodies
from wingbeat.machine.effect import CancelChild, Finish, SetTimer
from wingbeat.machine.fact import NodeEnded, NodeSucceeded, Opened, Turned
from wingbeat.machine.values import resolve
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ABORTED, ErrorInfo
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.spec.plan import BranchKind, Plan
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine

EXECUTION_TIMED_OUT, TIMED_OUT = "ExecutionTimedOut", "TimedOut"
_FAILED = (NodePhase.FAILED, NodePhase.TIMED_OUT)


def start(m: Machine, number: int, at: float) -> None:
    """Begin with a scope: start what waits for nothing."""
    timer(m, number)
    base, waits, nodes = m.graph.bases[number], m.state.waits, m.state.nodes
    count = len(m.graph.plans[number].nodes)
    ready = [i for i in range(base, base + count) if not waits[i] and nodes[i].phase is NodePhase.NOT_STARTED]
    m.start(ready, at)
    settle(m, number, at)


def timer(m: Machine, number: int) -> None:
    """A scope that has begun, and whose workflow has a timeout, is told when that is over."""
    began_at, timeout_s = m.state.scopes[number].began_at, m.graph.plans[number].timeout_s
    if timeout_s is not None and began_at is not None:
        m.ask(SetTimer(began_at + timeout_s, "execution" if number == 0 else "workflow", number or -1))


def open_for(m: Machine, parent: int, plan: Plan, inputs: Literals, at: float) -> None:
    """Run a workflow for a node or item."""
    m.say(Opened(parent, at, inputs))
    start(m, len(m.state.scopes) - 1, at)


def settle(m: Machine, number: int, at: float) -> None:
    """Enter the phase that follows when nothing of a scope is under way any more."""
    scope = m.state.scopes[number]
    if scope.live or scope.phase.terminal:
        return
    if scope.retrying and scope.phase in (ExecutionPhase.FAILING, ExecutionPhase.ABORTING):
        return  # one has ended while all are being stopped: these follow, or what a body of them has called is waited for
    if scope.handler >= 0 and not m.state.scopes[scope.handler].phase.terminal:
        return
    if scope.phase is ExecutionPhase.ABORTING:
        _conclude(m, number, ExecutionPhase.ABORTED, at)
    elif scope.phase is ExecutionPhase.FAILING:
        error = scope.error
        # An error of these codes that is a node's is a child's, or of a class of the user's that has that name.
        timed_out = error is not None and error.code in (EXECUTION_TIMED_OUT, TIMED_OUT) and not error.node
        _conclude(m, number, ExecutionPhase.TIMED_OUT if timed_out else ExecutionPhase.FAILED, at)
    elif not scope.remaining and scope.error is None:
        _succeed(m, number, at)
    elif scope.error is not None and not scope.retrying and not _startable(m, number):
        turn_failing(m, number, scope.error, at)
        settle(m, number, at)


def turn_failing(m: Machine, number: int, error: ErrorInfo, at: float) -> None:
    """A scope is going to fail: stop what is under way in it."""
    scope = m.state.scopes[number]
    if scope.phase in (ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDING):
        m.say(Turned(ExecutionPhase.FAILING, at, error.message, error, scope=number))
        reason = f"node {error.node} failed" if error.node else error.message
        _stop_all(m, number, "failing", reason, at)


def timed_out(m: Machine, number: int, at: float) -> None:
    """A scope has taken too long."""
    plan = m.graph.plans[number]
    who, code = (f"The workflow {plan.name}", TIMED_OUT) if number else ("The execution", EXECUTION_TIMED_OUT)
    message = f"{who} took longer than its timeout of {plan.timeout_s:g} s."
    turn_failing(m, number, ErrorInfo(code, message, retryable=False), at)
    settle(m, number, at)


def abort(m: Machine, number: int, reason: str, at: float, error: ErrorInfo | None = None) -> None:
    """A scope is not wanted any more: stop what is under way in it. It may end in this call."""
    scope = m.state.scopes[number]
    if scope.phase.terminal or scope.phase is ExecutionPhase.ABORTING:
        return
    m.say(Turned(ExecutionPhase.ABORTING, at, reason, error, scope=number))
    _stop_all(m, number, "abort", reason, at)
    settle(m, number, at)


def abort_again(m: Machine, reason: str, at: float) -> None:
    """Even what cleans up is to stop: the handlers that run, here and in child executions that are being stopped."""
    handlers = [number for number, scope in enumerate(m.state.scopes) if scope.handler_of >= 0]
    for number in handlers:
        abort(m, number, reason, at)
    for address in sorted(m.state.live):
        if m.graph.launches(address) and m.state.node(address).stop:
            m.ask(CancelChild(address, reason, again=True))


def _stop_all(m: Machine, number: int, cause: str, reason: str, at: float) -> None:
    """Stop everything that is under way in a scope; what waits only ends at once."""
    scope = m.state.scopes[number]
    for address in sorted(scope.retrying | scope.live):
        if address in scope.retrying or address in scope.live:  # it may have ended with another meanwhile
            m.stop(address, cause, reason, at)
    if number == 0:
        m.notes.clear()


def _startable(m: Machine, number: int) -> bool:
    """Whether a node has all it needs and still waits, for the catalog's answer."""
    nodes, waits, base = m.state.nodes, m.state.waits, m.graph.bases[number]
    count = len(m.graph.plans[number].nodes)
    return any(nodes[i].phase is NodePhase.NOT_STARTED and not waits[i] for i in range(base, base + count))


def _succeed(m: Machine, number: int, at: float) -> None:
    scope, plan, base = m.state.scopes[number], m.graph.plans[number], m.graph.bases[number]
    inputs = m.inputs if number == 0 else scope.inputs
    try:
        outputs = resolve(plan.outputs, inputs, lambda n: m.state.nodes[base + n].outputs)
    except ValueMismatch as error:
        failed = ErrorInfo("BindingError", f"An output cannot be taken: {error}", retryable=False)
        turn_failing(m, number, failed, at)
        settle(m, number, at)
        return
    if number == 0 and m.state.publishing:
        if scope.phase is ExecutionPhase.RUNNING:
            m.say(Turned(ExecutionPhase.SUCCEEDING, at, outputs=outputs))
        return
    known = scope.phase is ExecutionPhase.SUCCEEDING
    m.say(Turned(ExecutionPhase.SUCCEEDED, at, outputs=None if known else outputs, scope=number))
    _ended(m, number, at)


def _conclude(m: Machine, number: int, phase: ExecutionPhase, at: float) -> None:
    """A scope ends without success, once its failure handler has ended."""
    scope, plan = m.state.scopes[number], m.graph.plans[number]
    _end_branches(m, number, at)
    if plan.handler is not None and scope.handler < 0 and scope.began_at is not None:
        m.say(Opened(-1, at, _handler_inputs(m, number, plan.handler), handler_of=number))
        start(m, len(m.state.scopes) - 1, at)
        return
    m.say(Turned(phase, at, scope=number))
    _ended(m, number, at)


def _end_branches(m: Machine, number: int, at: float) -> None:
    """Branches are under way until the nodes of their arms have ended. One fails with a node of its arm."""
    plan, base, nodes = m.graph.plans[number], m.graph.bases[number], m.state.nodes
    for i, node in (
        [] if plan.plain else list(enumerate(plan.nodes, base))[::-1]
    ):  # those within others come behind them
        if isinstance(node.kind, BranchKind) and nodes[i].phase is NodePhase.RUNNING:
            arm = [nodes[base + member] for member in node.kind.members[nodes[i].arm]]
            failed = next((each for each in arm if each.phase in _FAILED), None)
            if failed is not None:
                m.say(NodeEnded(i, NodePhase.FAILED, at, failed.reason))
            else:
                m.say(NodeEnded(i, NodePhase.ABORTED, at, m.state.scopes[number].reason))


def _handler_inputs(m: Machine, number: int, handler: Plan) -> Literals:
    """Those inputs of the scope that the handler has too, and the error."""
    scope = m.state.scopes[number]
    given = m.inputs if number == 0 else scope.inputs
    error = scope.error or ErrorInfo(ABORTED, scope.reason)
    said: Literals = {
        "error": Inline({"code": error.code, "kind": str(error.kind), "message": error.message, "node": error.node})
    }
    return {
        v.name: given[v.name] if v.name in given else said[v.name] if v.name in said else Inline(v.default)
        for v in handler.interface.inputs
    }


def _ended(m: Machine, number: int, at: float) -> None:
    """A scope is over: go on with whom it ran for."""
    scope = m.state.scopes[number]
    if number == 0:
        m.ask(Finish())
    elif scope.handler_of >= 0:
        settle(m, scope.handler_of, at)
    elif scope.key:
        bodies.heard(m, scope.parent, at)
    elif scope.phase is ExecutionPhase.SUCCEEDED:
        assert scope.outputs is not None
        m.say(NodeSucceeded(scope.parent, at, scope.outputs))
        m.succeeded(scope.parent, at)
    elif scope.phase is ExecutionPhase.ABORTED:
        m.end(scope.parent, NodePhase.ABORTED, None, at, scope.reason)
    else:
        phase = NodePhase.TIMED_OUT if scope.phase is ExecutionPhase.TIMED_OUT else NodePhase.FAILED
        m.end(scope.parent, phase, scope.error, at)
