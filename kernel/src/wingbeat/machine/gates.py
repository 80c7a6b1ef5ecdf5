"""Gates: a wait for a person, for a value or for time. They hold no process and outlive the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.base.units import format_duration
from wingbeat.machine.contradiction import contradiction, repeats
from wingbeat.machine.effect import SetTimer
from wingbeat.machine.fact import NodeSucceeded, SignalKept, Started
from wingbeat.spec.literal import Inline, Literal, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import GateKind
from wingbeat.types import ValueMismatch
from wingbeat.types.times import parse_timedelta

if TYPE_CHECKING:
    from wingbeat.machine.event import Signalled
    from wingbeat.machine.step import Machine


def start(m: Machine, number: int, kind: GateKind, at: float) -> None:
    """Begin to wait; an answer that came earlier is taken now. Raises ValueMismatch."""
    m.values(number)
    if kind.spec.gate == "sleep":
        _seconds(m, number)
    m.say(Started(number, at))
    wait(m, number, kind)
    for name in (m.graph.id(number), kind.spec.name):
        if name in m.state.signals and kind.spec.gate != "sleep":
            _answer(m, number, kind, m.state.signals[name], at)
            return


def wait(m: Machine, number: int, kind: GateKind) -> None:
    """Wait, also after a restart: note for what, and set its timer."""
    spec, over = kind.spec, until(m, number, kind)
    m.notes[number] = (
        f"sleeping for {format_duration(_seconds(m, number))}"
        if spec.gate == "sleep"
        else f"waiting for {'approval' if spec.gate == 'approve' else 'input'} {spec.name!r}"
    )
    if over is not None:
        m.ask(SetTimer(over, "gate", number))


def until(m: Machine, number: int, kind: GateKind) -> float | None:
    """When the time of a gate that waits is over; None if it waits for ever."""
    seconds = _seconds(m, number) if kind.spec.gate == "sleep" else kind.spec.timeout_s
    return None if seconds is None else (m.state.nodes[number].began_at or 0.0) + seconds


def signalled(m: Machine, event: Signalled) -> None:
    """Somebody answers: the gate of that id, or the first that waits under that name, or one that is still to come.
    What contradicts an answer that was given before, or repeats it, changes nothing: it would be kept for a gate to come."""
    if event.id in m.state.answered or contradiction(m, event.name, event.value) or repeats(m, event.name, event.value):
        return
    m.say(SignalKept(event.name, event.value, event.at, event.id))
    for number in sorted(m.state.gates):
        kind = m.graph.nodes[number].kind
        assert isinstance(kind, GateKind)
        if kind.spec.gate != "sleep" and event.name in (m.graph.id(number), kind.spec.name):
            _answer(m, number, kind, event.value, event.at)
            return


def due(m: Machine, number: int, at: float) -> None:
    """A gate's time is over."""
    kind = m.graph.nodes[number].kind
    if number not in m.state.gates or not isinstance(kind, GateKind):
        return
    over = until(m, number, kind)
    if over is None:
        return
    if at < over:  # the clock was set back since
        m.ask(SetTimer(over, "gate", number))
        return
    if kind.spec.gate == "sleep":
        _through(m, number, kind, m.values(number).get("value"), at)
        return
    message = f"Nobody answered {kind.spec.name!r} within {kind.spec.timeout_s:g} s."
    m.end(number, NodePhase.TIMED_OUT, ErrorInfo("TimedOut", message, retryable=False), at)


def _answer(m: Machine, number: int, kind: GateKind, value: Literal, at: float) -> None:
    if kind.spec.gate == "input":
        _through(m, number, kind, value, at)
    elif isinstance(value, Inline) and value.value is True:
        _through(m, number, kind, m.values(number).get("value"), at)
    else:
        message = f"Approval {kind.spec.name!r} was rejected."
        m.end(number, NodePhase.FAILED, ErrorInfo("Rejected", message, retryable=False), at)


def _through(m: Machine, number: int, kind: GateKind, value: Literal | None, at: float) -> None:
    outputs: Literals = {v.name: value for v in kind.spec.interface.outputs if value is not None}
    m.say(NodeSucceeded(number, at, outputs))
    m.succeeded(number, at)


def _seconds(m: Machine, number: int) -> float:
    literal = m.values(number)["duration"]
    if not isinstance(literal, Inline):
        raise ValueMismatch("a duration that is stored apart cannot be waited for")
    return max(0.0, parse_timedelta(literal.value).total_seconds())
