"""What is under way, out of the state: the effects that a restart performs again, and the timers of what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.machine import bodies, gates, scopes
from wingbeat.machine.effect import Cancel, CancelChild, LaunchChild, Load, Lookup, Publish, SetTimer, Submit
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.plan import GateKind

if TYPE_CHECKING:
    from wingbeat.machine.state import AttemptState
    from wingbeat.machine.step import Machine


def ask_again(m: Machine) -> None:
    """Ask for every effect whose end is not in the state."""
    state, graph = m.state, m.graph
    for i in range(len(state.nodes)):
        if m.looking(i):  # asked, but its answer was not journaled
            m.ask(Lookup(i) if graph.nodes[i].kind is None else Load(i))
    for mapping in state.maps.values():
        for address in sorted(mapping.looking):
            if m.looking(address):
                m.ask(Lookup(address))
    for address in sorted(state.live):
        _under_way(m, address)
    for address in sorted(state.retrying):
        retry_timers(m, address)
    for address in sorted(state.publishing):
        m.ask(Publish(address))
    for number, scope in enumerate(state.scopes):
        if scope.phase in (ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDING):
            scopes.timer(m, number)


def _under_way(m: Machine, address: int) -> None:
    node = m.state.node(address)
    attempt = node.open_attempt
    if attempt is not None:
        body = m.state.bodies.get(address)
        if body is not None and body.ended:  # the rest is up to what it called, in the time that is left
            total_timer(m, address)
            return
        if attempt.cancel:
            m.ask(Cancel(address, attempt.number, attempt.cancel_reason))
        else:
            m.ask(Submit(address, attempt.number))
            _timers(m, address, attempt)
        return
    if address in m.state.bodies:
        bodies.wait(m, address)
        total_timer(m, address)
        return
    kind = m.graph.kind(address)
    if isinstance(kind, GateKind):
        gates.wait(m, address, kind)
    elif m.graph.launches(address):
        m.ask(CancelChild(address, node.reason) if node.stop else LaunchChild(address))


def _timers(m: Machine, address: int, attempt: AttemptState) -> None:
    """The timers of a live attempt, as they were set when it was queued and started."""
    task = m.settled(address, attempt)
    timeout = task.timeout
    if timeout.run_s is not None and attempt.started_at is not None and not task.dynamic:
        m.ask(SetTimer(attempt.started_at + timeout.run_s, "run", address, attempt.number))
    if timeout.queue_s is not None and attempt.started_at is None:
        m.ask(SetTimer(attempt.queued_at + timeout.queue_s, "queue", address, attempt.number))
    total_timer(m, address)


def retry_timers(m: Machine, address: int) -> None:
    """The timers of a node or item between attempts. That of all attempts may have come due while one of them was being stopped,
    which it does not disturb."""
    node = m.state.node(address)
    m.ask(SetTimer(node.retry_at or 0.0, "retry", address, node.next_attempt))
    total_timer(m, address)


def total_timer(m: Machine, address: int) -> None:
    """The timer of all attempts together."""
    task, node = m.graph.task(address), m.state.seen(address)
    if task is None or node is None or node.first_queued_at is None:
        return
    if task.timeout.total_s is not None:
        m.ask(SetTimer(node.first_queued_at + task.timeout.total_s, "total", address, 0))
