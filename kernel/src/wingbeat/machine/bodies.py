"""Bodies of dynamic workflows.

A body runs in turns. Each turn is an attempt whose process is given everything that has been recorded, replays the body up to
where it waits, and ends with the calls that are new. A body that waits holds no process. What it called are scopes; when one
of them ends, or the time comes for which it waits, the next turn is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.machine import attempts, scopes
from wingbeat.machine.effect import SetTimer
from wingbeat.machine.fact import BodyEnded, CancelDecided, Opened, Suspended, Woke
from wingbeat.machine.graph import node_of
from wingbeat.spec.outcome import ABORTED, ErrorInfo
from wingbeat.spec.phase import NodePhase

if TYPE_CHECKING:
    from wingbeat.machine.event import AttemptSucceeded, AttemptSuspended
    from wingbeat.machine.state import AttemptState
    from wingbeat.machine.step import Machine

DEPTH_MAX = 50
"""As deep may what bodies call be nested: as workflows may that are known before they run."""
UNWANTED = "the workflow that called it does not wait for it any more"


def suspended(m: Machine, event: AttemptSuspended, attempt: AttemptState) -> None:
    """A turn has ended: open what it called, and wait."""
    address, at = event.node, event.at
    if attempt.cancel:
        if not stopped(m, address, at):
            m.stopped(address, attempt, at)
        return
    body = m.state.bodies[address]
    new = [call for call in event.calls if call.key not in body.calls]
    unknown = [call for call in new if call.template not in m.graph.templates]
    if unknown:
        error = ErrorInfo(
            "UnknownCall", f"The body called {unknown[0].key!r}, whose spec is not known.", retryable=False
        )
        m.fail(address, attempt.number, error, at)
        return
    if new and m.graph.depths[m.graph.scope_of(node_of(address))] >= DEPTH_MAX:
        message = (
            f"The body called {new[0].key!r} in {DEPTH_MAX} others: workflows are nested at most {DEPTH_MAX} deep."
        )
        m.fail(address, attempt.number, ErrorInfo("NestedTooDeep", message, retryable=False), at)
        return
    first = len(m.state.scopes)
    for call in new:
        m.say(Opened(address, at, call.inputs, call.key, call.template))
    m.say(Suspended(address, attempt.number, at, event.wake_at))
    for number in range(first, first + len(new)):
        scopes.start(m, number, at)
    for key in event.cancels:
        if key in body.calls:
            scopes.abort(m, body.calls[key], UNWANTED, at)
    _go_on(m, address, at)


def heard(m: Machine, address: int, at: float) -> None:
    """Something that a body called has ended."""
    body, node = m.state.bodies[address], m.state.seen(address)
    if node is None or node.phase.terminal:
        return
    if body.ended:
        if not body.open:
            _finish(m, address, at)
    elif node.stop:
        _stopped_if_quiet(m, address, at)
    elif body.suspended:
        _go_on(m, address, at)


def woke(m: Machine, address: int, at: float) -> None:
    """The time has come for which a body waits."""
    body, node = m.state.bodies.get(address), m.state.seen(address)
    if body is None or node is None or not body.suspended or node.stop or body.wake_at is None or body.wake_at > at:
        return
    m.say(Woke(address, at))
    _go_on(m, address, at)


def wait(m: Machine, address: int) -> None:
    """A body waits: note for what, and set its timer."""
    body = m.state.bodies[address]
    waiting = len(body.open)
    m.notes[address] = f"waiting for {waiting} call{'s' * (waiting != 1)}" if waiting else "waiting for its time"
    if body.wake_at is not None and not m.state.node(address).stop:
        m.ask(SetTimer(body.wake_at, "wake", address))


def _go_on(m: Machine, address: int, at: float) -> None:
    """Make the next turn if there is something new for it."""
    body = m.state.bodies[address]
    if body.suspended and len(body.history) > body.seen and m.running(address):
        m.queue(address, at, publish=False)
    elif body.suspended:
        wait(m, address)


def returned(m: Machine, event: AttemptSucceeded) -> bool:
    """A body has returned. Whether something that it called is still under way, which is stopped first."""
    body = m.state.bodies[event.node]
    if not body.open:
        return False
    m.say(BodyEnded(event.node, event.at, outputs=event.outputs, evidence=event.evidence))
    _stop_calls(m, event.node, event.at, UNWANTED)
    return True


def raised(m: Machine, address: int, attempt: AttemptState, error: ErrorInfo, at: float) -> bool:
    """A body, or the process of its turn, has failed. Whether what it called has to be stopped first.

    Where only the process was lost and there is another turn, what it called goes on.
    """
    body = m.state.bodies[address]
    if attempt.cancel:
        return stopped(m, address, at)
    lost = attempts.of_the_system(error) and m.retries(address, attempt.number, error)
    if lost or not body.open:
        return False
    m.say(BodyEnded(address, at, error=error))
    _stop_calls(m, address, at, UNWANTED)
    return True


def stopped(m: Machine, address: int, at: float) -> bool:
    """The turn of a body that is to stop is gone. Whether something that it called is still under way."""
    body = m.state.bodies[address]
    if not body.open:
        return False
    attempt = m.state.node(address).open_attempt
    assert attempt is not None
    if attempt.cancel == "queue":
        error = ErrorInfo("TimedOut", f"A turn of the body {attempt.cancel_reason}.")
        m.say(BodyEnded(address, at, error=error))
        _stop_calls(m, address, at, UNWANTED)
        return True
    m.say(Suspended(address, attempt.number, at, None))
    m.say(CancelDecided(address, -1, at, attempt.cancel, attempt.cancel_reason))
    return True


def stop(m: Machine, address: int, cause: str, reason: str, at: float) -> None:
    """Have a body end, and all that it called. It may end in this call."""
    node, body = m.state.node(address), m.state.bodies[address]
    if node.open_attempt is not None and not body.ended:
        m.cancel(address, cause, reason, at)
    elif not node.stop:
        m.say(CancelDecided(address, -1, at, cause, reason))
    _stop_calls(m, address, at, reason)
    if not body.ended and node.open_attempt is None:
        _stopped_if_quiet(m, address, at)


def _stop_calls(m: Machine, address: int, at: float, reason: str) -> None:
    body = m.state.bodies[address]
    for number in sorted(body.open):
        scopes.abort(m, number, reason, at)


def _stopped_if_quiet(m: Machine, address: int, at: float) -> None:
    node, body = m.state.seen(address), m.state.bodies[address]
    if node is None or node.phase.terminal or node.open_attempt is not None or body.open:
        return
    if node.stop == "total":
        m.end(address, NodePhase.TIMED_OUT, ErrorInfo("TimedOut", node.reason, retryable=False), at)
    else:
        m.end(address, NodePhase.ABORTED, None, at, node.reason)


def _finish(m: Machine, address: int, at: float) -> None:
    """All that a body had left under way has ended: now the body has."""
    node, body = m.state.node(address), m.state.bodies[address]
    attempt = node.open_attempt
    assert attempt is not None
    if node.stop:
        error = ErrorInfo(ABORTED, node.reason, retryable=False)
        m.fail(address, attempt.number, error, at)
    elif body.error is not None:
        m.fail(address, attempt.number, body.error, at)
    else:
        assert body.outputs is not None
        m.attempt_succeeded(address, attempt.number, body.outputs, body.evidence, at)
