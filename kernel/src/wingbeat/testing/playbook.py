"""Dialogues with the machine that read like a play: an event is said, and what follows is a list of short lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wingbeat.base.errors import ErrorKind
from wingbeat.machine import event as e
from wingbeat.machine.effect import (
    Cancel,
    CancelChild,
    Effect,
    LaunchChild,
    Load,
    Lookup,
    Publish,
    Release,
    SetTimer,
    Submit,
)
from wingbeat.machine.fact import Fact, decode_facts, encode_facts
from wingbeat.machine.fold import replay
from wingbeat.machine.graph import Graph
from wingbeat.machine.state import NodeState, State, decode_state, encode_state, graph_of, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.plan import Plan


def told(graph: Graph, effect: Effect) -> str:
    """An effect as one line: ``submit a/0``, ``timer run a/0 at 5``, ``finish``."""
    match effect:
        case Submit():
            return f"submit {graph.id(effect.node)}/{effect.attempt}"
        case Cancel():
            return f"cancel {graph.id(effect.node)}/{effect.attempt}"
        case SetTimer():
            of = f" {graph.id(effect.node)}/{effect.attempt}" if effect.node >= 0 else ""
            of = f" {effect.node}" if effect.kind == "workflow" else of  # the number of its scope
            return f"timer {effect.kind}{of.removesuffix('/-1')} at {effect.due:g}"
        case Lookup() | Publish() | Release() | Load():
            return f"{type(effect).__name__.lower()} {graph.id(effect.node)}"
        case LaunchChild():
            return f"launch {graph.id(effect.node)}"
        case CancelChild():
            return f"abort {graph.id(effect.node)}"
        case _:
            return "finish"


class Playbook:
    """One execution: say events by the names of nodes; every method answers with the effects, and `at` is the time.

    After each event the state is compared with the fold of all facts, written and read again.
    """

    def __init__(
        self, plan: Plan, inputs: dict[str, Any] | None = None, templates: Mapping[str, Plan] | None = None
    ) -> None:
        self.plan, self.at, self.templates = plan, 0.0, templates
        self.inputs: Literals = {name: Inline(value) for name, value in (inputs or {}).items()}
        self.machine = Machine(Graph(plan, templates), self.inputs, initial(plan))
        self.facts: list[Fact] = []

    @property
    def phase(self) -> ExecutionPhase:
        """Of the execution."""
        return self.machine.state.phase

    def address(self, name: str) -> int:
        """Of a node or item."""
        found = self.machine.graph.find(name)
        assert found is not None, f"there is no node {name!r}"
        return found

    def node(self, name: str) -> NodeState:
        """State of a node, or of an item that is under way."""
        return self.machine.state.node(self.address(name))

    def phases(self) -> dict[str, str]:
        """Phase of every node."""
        graph = self.machine.graph
        return {graph.id(i): node.phase.value for i, node in enumerate(self.machine.state.nodes)}

    def say(self, event: e.Event) -> list[str]:
        """Any event."""
        effects = self.machine.step(event)
        self.facts += self.machine.take_facts()
        assert self._replayed() == self.machine.state
        return [told(self.machine.graph, effect) for effect in effects]

    def _replayed(self) -> State:
        return replay(Graph(self.plan, self.templates), decode_facts(encode_facts(self.facts)))

    def outstanding(self) -> list[str]:
        """What a restart would perform."""
        return [told(self.machine.graph, effect) for effect in self.machine.outstanding()]

    def restart(self) -> list[str]:
        """Build the machine again from a snapshot of its state; answers with what is performed again."""
        state = self._replayed()
        assert decode_state(encode_state(state)) == state
        self.machine = Machine(graph_of(Graph(self.plan, self.templates), state), self.inputs, state)
        return self.outstanding()

    def launch(self, recovered: dict[str, int] | None = None, seed: int = 1) -> list[str]:
        """The execution may begin."""
        outputs: dict[int, Literals] = {self.address(n): {"o0": Inline(v)} for n, v in (recovered or {}).items()}
        return self.say(e.Launched(self.at, seed, outputs, "earlier" if recovered else ""))

    def running(self, name: str, attempt: int = 0) -> list[str]:
        """User code may be running."""
        return self.say(e.AttemptRunning(self.at, self.address(name), attempt))

    def succeeded(self, name: str, attempt: int = 0, value: int = 1) -> list[str]:
        """An attempt returned `value`."""
        return self.say(e.AttemptSucceeded(self.at, self.address(name), attempt, {"o0": Inline(value)}))

    def failed(self, name: str, attempt: int = 0, *, code: str = "ValueError", **more: Any) -> list[str]:
        """An attempt failed by the user's error, unless `more` says otherwise."""
        error = ErrorInfo(code, f"{code} here", **more)
        return self.say(e.AttemptFailed(self.at, self.address(name), attempt, error))

    def lost(self, name: str, attempt: int = 0) -> list[str]:
        """An attempt failed by the system's fault."""
        return self.failed(name, attempt, code="Killed", kind=ErrorKind.SYSTEM)

    def aborted(self, name: str, attempt: int = 0, reason: str = "") -> list[str]:
        """An attempt was stopped."""
        return self.say(e.AttemptAborted(self.at, self.address(name), attempt, reason))

    def hit(self, name: str, value: int = 1) -> list[str]:
        """The catalog has a node's outputs."""
        return self.say(e.CacheHit(self.at, self.address(name), {"o0": Inline(value)}, "other/n/0"))

    def missed(self, name: str, *, status: str = "MISS", publish: bool = True) -> list[str]:
        """The catalog does not."""
        return self.say(e.CacheMissed(self.at, self.address(name), status, "no such key", publish))

    def held(self, name: str, again_at: float) -> list[str]:
        """Somebody else computes them."""
        return self.say(e.CacheHeld(self.at, self.address(name), "other/n", again_at))

    def stored(self, name: str, status: str = "POPULATED") -> list[str]:
        """A publication ended."""
        return self.say(e.CacheStored(self.at, self.address(name), status, ""))

    def timer(self, kind: str, name: str = "", attempt: int = -1) -> list[str]:
        """A timer fired."""
        return self.say(e.TimerFired(self.at, kind, self.address(name) if name else -1, attempt))

    def abort(self, reason: str = "enough") -> list[str]:
        """Somebody wants it to stop."""
        return self.say(e.AbortAsked(self.at, reason))
