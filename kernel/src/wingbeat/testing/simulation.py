"""The machine against a hostile world, repeatable by a seed.

The world plays everything that the engine has around the machine: a journal that loses what was not committed, executors
that are slow, report twice, and go on through a crash, bodies of dynamic workflows, child executions, a catalog, storage,
timers, and people who answer and abort. A storm with all of that is followed by a calm in which nothing new goes wrong; there
the execution has to end. What must hold is checked on the way.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import ErrorKind
from wingbeat.compile.flatten import flatten
from wingbeat.contracts.executor import Replay, Suspended
from wingbeat.engine.replays import replay_of
from wingbeat.machine import event as e
from wingbeat.machine.effect import (
    Cancel,
    CancelChild,
    Effect,
    Finish,
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
from wingbeat.machine.state import State, decode_state, encode_state, graph_of, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.literal import Inline, Literals, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import CacheStatus, NodePhase
from wingbeat.spec.plan import GateKind, Plan
from wingbeat.testing.bodies import Script
from wingbeat.testing.graphs import Graphs
from wingbeat.testing.invariants import Broken, check_end, check_fact, check_outstanding, check_state

STORM_STEPS = 150
CALM_STEPS_MAX = 20_000


class _Attempt(Struct):
    """What the executor knows of an attempt."""

    running: bool = False
    cancelled: bool = False
    replay: Replay | None = None
    report: e.Event | None = None
    """How it ended."""


class World:
    """One execution in a random world. `fired` counts what happened to it, by kind."""

    def __init__(self, seed: int, fired: Counter[str] | None = None) -> None:
        self.rng = random.Random(seed)
        graphs = Graphs(random.Random(seed + 1))
        self.plan: Plan = flatten(graphs.closure(self.rng.choice((0, 0, 1, 1, 2))))
        self.templates = {root: flatten(graphs.close(root)) for root in graphs.templates}
        self.scripts = Script(seed, sorted(self.templates))
        self.fired: Counter[str] = Counter() if fired is None else fired
        self.at, self.calm = 1000.0, False
        self.inputs: Literals = {"x": Inline(3)}
        self.machine = Machine(Graph(self.plan, self.templates), self.inputs, initial(self.plan))
        self.durable: list[Fact] = []
        self.said: list[Fact] = []
        self.held: list[Effect] = []
        self.snapshot: tuple[int, bytes] | None = None
        self.attempts: dict[tuple[int, int], _Attempt] = {}
        self.children: dict[int, e.ChildEnded | None] = {}
        self.awaited: set[int] = set()
        self.lookups: set[int] = set()
        self.loads: set[int] = set()
        self.publications: set[int] = set()
        self.timers: list[SetTimer] = []
        self.timers_ever: set[SetTimer] = set()
        self.past: list[e.Event] = []
        self.finished = 0

    def run(self) -> None:
        """Storm, then calm. Raises Broken."""
        self._say(e.Launched(self.at, self.rng.getrandbits(48)))
        self._commit()
        while len(self.past) < STORM_STEPS and not self._over():
            self._storm()
        self.calm = True
        for _ in range(CALM_STEPS_MAX):
            if self._over():
                break
            self._calm()
        if not self._over():
            raise Broken("it does not end when nothing goes wrong any more")
        check_end(self)

    # -- the engine's part

    def _say(self, event: e.Event) -> None:
        self.past.append(event)
        self.fired[type(event).__name__] += 1
        over = self.machine.state.phase.terminal
        before = encode_state(self.machine.state) if over else b""
        effects = self.machine.step(event)
        facts = self.machine.take_facts()
        if over and (facts or encode_state(self.machine.state) != before):
            raise Broken("what has ended does not change")
        for fact in facts:
            self.fired[f"fact {type(fact).__name__}"] += 1
            check_fact(self.machine, fact)
            self.said.append(fact)
        for effect in effects:
            if effect.asks:
                self._perform(effect)
            else:
                self.held.append(effect)
        check_state(self.machine)
        if self.rng.random() < 0.05:
            self.check_replay()
            check_outstanding(self)

    def _commit(self) -> None:
        self.durable += self.said
        effects, self.said, self.held = self.held, [], []
        for effect in effects:
            self._perform(effect)
        if self.rng.random() < 0.05:
            self.fired["snapshot"] += 1
            self.snapshot = len(self.durable), encode_state(self.machine.state)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Lookup():
                self.lookups.add(effect.node)
            case Load():
                self.loads.add(effect.node)
            case Submit():
                self._submit(effect.node, effect.attempt)
            case Cancel():
                self.attempts.setdefault((effect.node, effect.attempt), _Attempt()).cancelled = True
            case LaunchChild():
                self.children.setdefault(effect.node, None)
                self.awaited.add(effect.node)
            case CancelChild():
                self.awaited.add(effect.node)
                if self.children.get(effect.node) is None:
                    self.children[effect.node] = e.ChildEnded(self.at, effect.node, {}, aborted=True)
            case SetTimer():
                self.timers.append(effect)
                self.timers_ever.add(effect)
            case Publish():
                self.publications.add(effect.node)
            case Release():
                self.fired["release"] += 1
            case Finish():
                self.finished += 1
                self.fired["finish " + self.machine.state.phase] += 1

    def _submit(self, node: int, number: int) -> None:
        attempt = self.attempts.setdefault((node, number), _Attempt())
        current = self.machine.state.seen(node)
        assert current is not None
        if attempt.replay is None and node in self.machine.state.bodies and current.open_attempt is not None:
            attempt.replay = replay_of(self.machine, node)

    def _crash(self) -> None:
        """The process is killed: what was not committed is gone, and so are lookups, publications and timers."""
        self.fired["crash"] += 1
        self.said, self.held = [], []
        self.lookups, self.publications, self.timers, self.loads, self.awaited = set(), set(), [], set(), set()
        graph, facts = Graph(self.plan, self.templates), decode_facts(encode_facts(self.durable))
        if self.snapshot is not None and self.rng.random() < 0.5:
            self.fired["restart from snapshot"] += 1
            count, body = self.snapshot
            state = decode_state(body)
            replay(graph_of(graph, state), facts[count:], state)
            if state != replay(Graph(self.plan, self.templates), facts):
                raise Broken("a snapshot and the facts behind it are the state")
        else:
            state = replay(graph, facts)
        self.machine = Machine(graph, self.inputs, state)
        for node in self.machine.unread():
            self.machine.loaded[node] = self._stored(node)
        for effect in self.machine.outstanding():
            self._perform(effect)
        check_outstanding(self)

    # -- the world's part

    def _storm(self) -> None:
        dice = self.rng.random()
        if dice < 0.35:
            self._commit()
        elif dice < 0.40:
            self._crash()
        elif dice < 0.45:
            self._doubled()
        elif dice < 0.48:
            self._foreign()
        elif dice < 0.483:
            self._say(e.AbortAsked(self.at, "enough"))
        elif dice < 0.60:
            self._time_passes()
        else:
            self._something_happens()

    def _calm(self) -> None:
        self._commit()
        if not self._something_happens():
            self._time_passes()

    def _over(self) -> bool:
        return self.machine.state.phase.terminal and not self.said and not self.held

    def _time_passes(self) -> None:
        due = min((t.due for t in self.timers), default=self.at)
        jump = self.calm or self.rng.random() < 0.3
        self.at = max(self.at, due) if jump else self.at + self.rng.random() * 3
        for timer in [t for t in self.timers if t.due <= self.at]:
            self.timers.remove(timer)
            self.fired[f"timer {timer.kind}"] += 1
            self._say(e.TimerFired(self.at, timer.kind, timer.node, timer.attempt))

    def _something_happens(self) -> bool:
        """One answer of the world, if one is due."""
        happenings: list[tuple[str, Any]] = [("lookup", n) for n in sorted(self.lookups)]
        happenings += [("publication", n) for n in sorted(self.publications)]
        happenings += [("load", n) for n in sorted(self.loads)]
        happenings += [("child", n) for n in sorted(self.awaited)]
        happenings += [("gate", n) for n in sorted(self.machine.state.gates) if self._answerable(n)]
        happenings += [("attempt", key) for key in sorted(self.attempts) if self.open(key)]
        if not happenings:
            return False
        kind, what = self.rng.choice(happenings)
        getattr(self, f"_{kind}")(what)
        return True

    def open(self, key: tuple[int, int]) -> bool:
        """Whether the machine still waits for this attempt."""
        node = self.machine.state.seen(key[0])
        attempt = node.open_attempt if node is not None else None
        if attempt is None or attempt.number != key[1]:
            return False
        body = self.machine.state.bodies.get(key[0])
        return body is None or not body.ended

    def _lookup(self, node: int) -> None:
        self.lookups.discard(node)
        self._say(self._lookup_answer(node))

    def _publication(self, node: int) -> None:
        self.publications.discard(node)
        status = CacheStatus.POPULATED if self.rng.random() < 0.8 else CacheStatus.PUT_FAILURE
        self._say(e.CacheStored(self.at, node, status, ""))

    def _load(self, node: int) -> None:
        self.loads.discard(node)
        if not self.calm and self.rng.random() < 0.1:
            self.fired["storage failed"] += 1
            self._say(e.Loaded(self.at, node, {}, ErrorInfo("InputLost", "it is gone", retryable=False)))
        else:
            self._say(e.Loaded(self.at, node, self._stored(node)))

    def _stored(self, node: int) -> dict[str, Any]:
        """What is stored: lists of ints as long as their URI says."""
        found = {n: v for n, v in self.machine.values(node).items() if isinstance(v, Offloaded)}
        return {name: list(range(int(value.uri))) for name, value in found.items()}

    def _child(self, node: int) -> None:
        ended = self.children.get(node)
        if ended is None:
            how = "success" if self.calm else self.rng.choice(("success", "success", "failure", "aborted"))
            self.fired[f"child {how}"] += 1
            error = ErrorInfo("ChildFailed", "it failed", retryable=False) if how == "failure" else None
            outputs = outputs_of(self.machine, node) if how == "success" else {}
            ended = self.children[node] = e.ChildEnded(self.at, node, outputs, "child", error, aborted=how == "aborted")
        self.awaited.discard(node)
        self._say(ended)

    def _answerable(self, node: int) -> bool:
        kind = self.machine.graph.nodes[node].kind
        return isinstance(kind, GateKind) and kind.spec.gate != "sleep"

    def _gate(self, node: int) -> None:
        kind = self.machine.graph.nodes[node].kind
        assert isinstance(kind, GateKind)
        yes = self.calm or self.rng.random() < 0.7
        self.fired[f"answer {yes}"] += 1
        name = self.rng.choice((self.machine.graph.id(node), kind.spec.name))
        self._say(e.Signalled(self.at, name, Inline(yes), f"s{self.rng.getrandbits(32)}"))

    def _lookup_answer(self, node: int) -> e.Event:
        answer = self.rng.choice(("hit", "miss", "miss", "held", "failure")) if not self.calm else "miss"
        self.fired[f"lookup {answer}"] += 1
        if answer == "hit":
            return e.CacheHit(self.at, node, outputs_of(self.machine, node), "elsewhere/n/0")
        if answer == "held":
            return e.CacheHeld(self.at, node, "elsewhere/n", self.at + 1.0)
        if answer == "miss":
            return e.CacheMissed(self.at, node, CacheStatus.MISS, "new", publish=True)
        return e.CacheMissed(self.at, node, CacheStatus.LOOKUP_FAILURE, "it raised", publish=False)

    def _attempt(self, key: tuple[int, int]) -> None:
        """It begins, or it ends; once it has ended, it reports the same however often it is asked."""
        attempt, (node, number) = self.attempts[key], key
        if attempt.report is None and not attempt.running and not attempt.cancelled and self.rng.random() < 0.6:
            attempt.running = True
            self._say(e.AttemptRunning(self.at, node, number))
            return
        if attempt.report is None:
            attempt.report = self._end(attempt, node, number)
        else:
            self.fired["reported again"] += 1
        self._say(attempt.report)

    def _end(self, attempt: _Attempt, node: int, number: int) -> e.Event:
        if attempt.cancelled and self.rng.random() < 0.8:
            return e.AttemptAborted(self.at, node, number, "as you wished")
        how = self.rng.choice(("success", "success", "success", "user", "system", "never again", "stopped"))
        if self.calm:
            how = "success"
        if attempt.replay is not None and how in ("success", "user", "never again"):
            return self._turn(attempt.replay, node, number)
        self.fired[f"attempt {how}"] += 1
        if how == "success":
            return e.AttemptSucceeded(self.at, node, number, outputs_of(self.machine, node))
        if how == "stopped":
            return e.AttemptAborted(self.at, node, number)
        kind = ErrorKind.SYSTEM if how == "system" else ErrorKind.USER
        return e.AttemptFailed(self.at, node, number, ErrorInfo("Bad", "bad", kind, retryable=how != "never again"))

    def _turn(self, told: Replay, node: int, number: int) -> e.Event:
        """A turn of a body ends as its script says."""
        outcome = self.scripts.turn(self.machine.graph.id(node), told)
        if isinstance(outcome, ErrorInfo):
            self.fired["body failed"] += 1
            return e.AttemptFailed(self.at, node, number, outcome)
        if isinstance(outcome, Suspended):
            self.fired["body suspended"] += 1
            calls = tuple(e.Called(c.key, c.template, c.inputs) for c in outcome.calls)
            return e.AttemptSuspended(self.at, node, number, calls, outcome.cancels, outcome.wake_at)
        self.fired["body returned"] += 1
        return e.AttemptSucceeded(self.at, node, number, outcome)

    def _doubled(self) -> None:
        """An event arrives once more, long after its time. A call's answer comes once."""
        event = self.rng.choice(self.past)
        if isinstance(event, e.CacheHit | e.CacheMissed | e.CacheHeld | e.CacheStored | e.Loaded | e.ChildEnded):
            return
        self.fired["doubled"] += 1
        self._say(event)

    def _foreign(self) -> None:
        """Reports about attempts that never were."""
        node, number = self.rng.randrange(len(self.machine.state.nodes)), self.rng.choice((-1, 77, 99))
        self.fired["foreign"] += 1
        self._say(self.rng.choice((
            e.AttemptRunning(self.at, node, number), e.AttemptSucceeded(self.at, node, number, {"o0": Inline(1)}),
            e.AttemptAborted(self.at, node, number), e.TimerFired(self.at, "run", node, number),
            e.TimerFired(self.at, "retry", node, number), e.AttemptAborted(self.at, 10**6, 0),
            e.AttemptSuspended(self.at, node, number), e.TimerFired(self.at, "gate", node, 0),
            e.AttemptAborted(self.at, node | 10**3 << 32, 0), e.Signalled(self.at, "nobody", Inline(1), f"f{number}"),
        )))  # fmt: skip

    def check_replay(self) -> None:
        """The facts are the state."""
        facts = decode_facts(encode_facts(self.durable + self.said))
        if replay(Graph(self.plan, self.templates), facts) != self.machine.state:
            raise Broken("the facts are the state")
        if decode_state(encode_state(self.machine.state)) != self.machine.state:
            raise Broken("a snapshot is the state")


def outputs_of(machine: Machine, address: int) -> Literals:
    """What a task gives: its address, small; or a stored list of some items."""
    task = machine.graph.task(address)
    if task is not None and not task.interface.outputs:
        return {}
    if (
        task is not None
        and task.interface.outputs[0].type != task.interface.inputs[0].type
        and task.interface.inputs[0].name == "x"
    ):
        return {"o0": Offloaded(str(address % 4), 100_000, "sha256:list")}
    return {"o0": Inline(address % 11)}


def copied(state: State) -> State:
    """The same state in another object."""
    return decode_state(encode_state(state))


__all__ = ["Broken", "NodePhase", "World", "copied", "outputs_of"]
