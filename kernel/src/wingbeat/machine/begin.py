"""How an execution begins: at once, or, where a limit has it wait, when its turn has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.machine import scopes
from wingbeat.machine.event import Admitted, Launched
from wingbeat.machine.fact import Began, Lined, NodeSucceeded
from wingbeat.spec.phase import ExecutionPhase

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine


def launched(m: Machine, event: Launched) -> None:
    """It was launched: begin, or keep what it will begin with."""
    if m.state.phase is not ExecutionPhase.QUEUED or m.state.lined is not None:
        return
    if event.queued is None:
        _begin(m, event, event.at)
    else:
        given = event.seed, event.recovered, event.reusable, event.source, event.left, event.moved
        m.say(Lined(event.at, event.queued, *given))


def admitted(m: Machine, event: Admitted) -> None:
    """Its turn has come."""
    if m.state.lined is not None:
        _begin(m, m.state.lined, event.at)


def _begin(m: Machine, given: Launched | Lined, at: float) -> None:
    m.say(Began(at, given.seed, given.reusable, given.source, given.left, given.moved))
    for node in sorted(given.recovered):
        m.say(NodeSucceeded(node, at, given.recovered[node], source=given.source))
    scopes.start(m, 0, at)
