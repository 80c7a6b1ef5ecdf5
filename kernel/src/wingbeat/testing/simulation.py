"""The machine against a hostile world, repeatable by a seed.

The world plays everything that the engine has around the machine: a journal with a fence that loses what was not committed,
executors that are slow, report twice, and go on through a crash, bodies of dynamic workflows, child executions, a catalog,
storage, timers, a second kernel that takes over from one that was only paused, and people who answer and abort. A storm with
faults of all kinds is followed by a calm in which nothing new goes wrong; there the execution has to end. What must hold is
checked on the way (`wingbeat.testing.invariants`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from heapq import heapify, heapreplace
from itertools import islice
from typing import Any, get_args

from msgspec import Struct

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
from wingbeat.machine.graph import Graph, node_of
from wingbeat.machine.state import decode_state, encode_state, graph_of, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import ConcurrencySpec, GateSpec
from wingbeat.spec.literal import Inline, Literals, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import CacheStatus
from wingbeat.spec.plan import GateKind
from wingbeat.testing import oracle, timeouts
from wingbeat.testing.actors import Attempt, Paused, Reader
from wingbeat.testing.bodies import Script
from wingbeat.testing.faults import FAILURES, Dice, Faults, number_of, uniform
from wingbeat.testing.graphs import plans_of
from wingbeat.testing.invariants import Broken, check_end, check_fact, check_outstanding, check_state
from wingbeat.types import ListType

CALM_STEPS_MAX = 20_000
QUEUED_SHARE = 0.1
"""Of executions, how many have to wait before they begin."""
IGNORED_SHARE = 0.4
"""Of gates with a timeout, how many nobody answers."""
CHECK_SHARE = 0.05
"""Of events, after how many the whole state is looked through. Twice as often costs 5 % of the time, and the planted bugs are
found with 2 % fewer seeds."""
FOLD_SHARE = 0.1
"""Of commits, after how many the state is compared with the fold of the facts: once they differ they go on to, to the end."""
SCHEDULES = 12
"""Seeds in a row that run the same graph: to make one costs almost half of what a seed does."""
CLOCK_EVERY = 6
"""Of the times that time passes, after how many it is looked for what should have ended."""
PAUSED_MAX = 2
"""Kernels beside the one that holds the journal."""


class Options(Struct, frozen=True):
    """What a world is made of, beside its seed: smaller for a shrinker. `depth`: how deeply workflows nest (-1: the seed says)."""

    off: frozenset[str] = frozenset()
    depth: int = -1
    storm: int = 150


DEFAULTS = Options()


class World:
    """One execution in a random world.

    Attributes:
        fenced: Whether the journal refuses a kernel that another has taken over from. Planted bugs say no.

        early: Whether effects are performed before they are durable. Planted bugs say yes.
    """

    fenced = True
    early = False

    def __init__(self, seed: int, fired: Counter[str] | None = None, options: Options = DEFAULTS) -> None:
        self.seed, self.options = seed, options
        self.rng = Dice(number_of(seed, "schedule"))
        self.faults = Faults(seed, options.off, fired)
        self.fired = self.faults.fired
        self.storms = [(self.faults.wait(kind), kind) for kind in STORMS if kind in self.faults.rates]
        heapify(self.storms)
        made = plans_of(seed // SCHEDULES, options.depth)
        self.plan, self.templates, self.book, self.books = made.plan, made.templates, made.book, made.books
        self.scripts = Script(seed, sorted(self.templates))
        self.queued = ConcurrencySpec("limit") if self._turn_comes(0, QUEUED_SHARE) else None
        self.at = 1000.0
        self.inputs: Literals = {"x": Inline(3)}
        self.machine = Machine(Graph(self.plan, self.templates), self.inputs, initial(self.plan))
        self.durable: list[Fact] = []
        self.reader = Reader(self.plan, self.templates)
        self.said: list[Fact] = []
        self.held: list[Effect] = []
        self.paused: list[Paused] = []
        self.snapshots: list[tuple[int, bytes]] = []
        self.attempts: dict[tuple[int, int], Attempt] = {}
        self.reporting: dict[tuple[int, int], None] = {}
        self.children: dict[int, e.ChildEnded | None] = {}
        self.launched: dict[int, Literals] = {}
        self.awaited: set[int] = set()
        self.lookups: set[int] = set()
        self.loads: set[int] = set()
        self.publications: set[int] = set()
        self.granted: set[int] = set()
        self.asked: tuple[tuple[Callable[[World, int], None], set[int]], ...] = (  # no bound methods: they would be cycles
            (World._lookup, self.lookups), (World._publication, self.publications), (World._load, self.loads),
            (World._child, self.awaited),
        )  # fmt: skip
        self.timers: list[SetTimer] = []
        self.timers_ever: set[SetTimer] = set()
        self.past: list[e.Event] = []
        self.finished = 0
        self.turns = self.passed = 0
        self.full_until = 0

    def run(self) -> str:
        """Storm, then calm; answers with the digest of everything that happened. Raises Broken."""
        self._say(e.Launched(self.at, self.seed, queued=self.queued))
        self._commit()
        while self.turns < self.options.storm and not self._over():
            self._storm()
        self.faults.calm_down()
        for _ in range(CALM_STEPS_MAX):
            if self._over():
                break
            self._calm()
        if not self._over():
            raise Broken("it ends when nothing goes wrong any more")
        check_end(self)
        oracle.check(self)
        for kind, count in Counter(map(type, self.durable)).items():
            self.fired[FACTS[kind]] += count
        return self.reader.digest.hexdigest()

    # -- the engine's part

    def _say(self, event: e.Event) -> None:
        self.past.append(event)
        machine = self.machine
        over = machine.state.phase.terminal
        before = encode_state(machine.state) if over else b""
        if isinstance(event, e.CacheMissed) and event.publish:
            self.granted.add(event.node)
        effects = machine.step(event)
        facts = machine.take_facts()
        if over and (facts or encode_state(machine.state) != before):
            raise Broken("what has ended does not change")
        for fact in facts:
            check_fact(machine, fact)
        self.said += facts
        for effect in effects:
            if effect.asks or self.early:
                self._perform(effect)
            else:
                self.held.append(effect)
        dice = self.rng.random()
        if dice < CHECK_SHARE:
            check_state(machine)
        if dice < CHECK_SHARE / 2:
            self.check_snapshot()
            check_outstanding(self, machine.outstanding())

    def _commit(self) -> None:
        """Make everything that was said durable, then do what follows; unless something happens."""
        if self.full_until > self.turns and not self.faults.calm:
            return
        if not self.said and not self.held:
            return
        if self.said and self.faults.strikes("the disk is full"):
            self.full_until = self.turns + self.rng.randint(1, 20)
            return
        if self.faults.strikes("crash before the commit") or self.faults.strikes("the commit is lost"):
            self._restart()
            return
        effects, said, self.said, self.held = self.held, self.said, [], []
        if said:
            self.durable += said
            if self.rng.random() < FOLD_SHARE:
                self.check_facts()
        if self.faults.strikes("crash behind the commit") or self.faults.strikes("the commit's answer is lost"):
            self._restart()
            return
        if self.faults.strikes("crash between two effects"):
            for effect in effects[: self.rng.randint(0, len(effects))]:
                self._perform(effect)
            self._restart()
            return
        for effect in effects:
            self._perform(effect)
        if self.rng.random() < 0.05:
            self.fired["snapshot"] += 1
            self.snapshots.append((len(self.durable), encode_state(self.machine.state)))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Lookup():
                self.lookups.add(effect.node)
            case Load():
                self.loads.add(effect.node)
            case Submit():
                self._submit(effect.node, effect.attempt)
            case Cancel():
                self._attempt_of(effect.node, effect.attempt).cancelled = True
            case LaunchChild():
                self.children.setdefault(effect.node, None)
                self.awaited.add(effect.node)
                self._launch(effect.node)
            case CancelChild():
                self.awaited.add(effect.node)
                if self.children.get(effect.node) is None:
                    self.children[effect.node] = e.ChildEnded(self.at, effect.node, {}, aborted=True)
            case SetTimer():
                self.timers.append(effect)
                self.timers_ever.add(effect)
            case Publish():
                self.publications.add(effect.node)
                self.granted.discard(effect.node)
            case Release():
                self.fired["release"] += 1
                self.granted.discard(effect.node)
            case Finish():
                self.finished += 1
                self.fired["finish " + self.machine.state.phase] += 1

    def _launch(self, node: int) -> None:
        """A child is launched by its name, so that the second time changes nothing; it is asked for the same."""
        values = self.machine.values(node)
        if self.launched.setdefault(node, values) != values:
            raise Broken(f"the child {self.machine.graph.id(node)} is given other inputs the second time")

    def _attempt_of(self, node: int, number: int) -> Attempt:
        self.reporting[node, number] = None
        found = self.attempts.get((node, number))
        if found is None:
            found = self.attempts[node, number] = Attempt()
        return found

    def _submit(self, node: int, number: int) -> None:
        """Create if absent: what was submitted before is asked for no second time."""
        attempt = self._attempt_of(node, number)
        current = self.machine.state.seen(node)
        if current is None or current.open_attempt is None or current.open_attempt.number != number:
            return  # its node has ended between the commit and now
        values = self.machine.values(node)
        if attempt.values is not None and attempt.values != values:
            raise Broken(f"attempt {number} of {self.machine.graph.id(node)} is given other inputs the second time")
        attempt.values = values
        attempt.lined = self.machine.graph.called(node).pool is not None and not current.open_attempt.granted
        if attempt.replay is None and node in self.machine.state.bodies:
            attempt.replay = replay_of(self.machine, node)

    def _restart(self) -> None:
        """The process has ended: what was not committed is gone, and so are lookups, publications and timers."""
        self.fired["restart"] += 1
        self.said, self.held = [], []
        self.timers = []
        self.reporting = dict.fromkeys(self.attempts)
        for forgotten in (self.lookups, self.publications, self.loads, self.awaited, self.granted):
            forgotten.clear()
        chosen = None if self.faults.strikes("the snapshot is lost") else self._snapshot()
        read = self.reader.read(self.durable)
        count, body = (len(self.durable), encode_state(read)) if chosen is None else chosen
        state = decode_state(body)  # the reader has folded the facts from the first to the last
        graph = graph_of(Graph(self.plan, self.templates), state)
        if chosen is not None:
            self.fired["restart from a snapshot"] += 1
            replay(graph, decode_facts(encode_facts(self.durable[count:])), state)
            if state != read:
                raise Broken("a snapshot and the facts behind it are the state")
        self.machine = Machine(graph, self.inputs, state)
        self.finished += state.phase.terminal  # who asks is told from the journal
        for node in self.machine.unread():
            self.machine.loaded[node] = self._stored(node)
        wanted = self.machine.outstanding()
        for effect in wanted:
            self._perform(effect)
        check_outstanding(self, wanted)
        if not self.durable:  # nobody was told that it is launched, so it is launched again
            self._say(e.Launched(self.at, self.seed, queued=self.queued))

    def _snapshot(self) -> tuple[int, bytes] | None:
        if not self.snapshots:
            return None
        older = self.faults.strikes("the snapshot is an older one")
        return self.rng.choice(self.snapshots) if older else self.snapshots[-1]

    def pause(self) -> None:
        """The kernel stands still, and another one takes over."""
        if len(self.paused) < PAUSED_MAX:
            self.paused.append(Paused(self.machine, self.said, self.held))
        self._restart()

    def _go_on(self, which: int) -> None:
        """A paused kernel hears something and means to do what follows: the journal refuses what it writes, and it ends."""
        old = self.paused[which]
        for event in self.rng.sample(self.past, min(3, len(self.past))):
            if not same_node(old.machine.graph, self.machine.graph, getattr(event, "node", 0)):
                continue  # a report names its node by a path, which leads elsewhere, or nowhere, in this one
            old.held += [effect for effect in old.machine.step(event) if not effect.asks]
            old.said += old.machine.take_facts()
        if self.fenced and self.rng.random() < 0.5:
            return  # it has not written yet
        del self.paused[which]
        self.fired["fenced out"] += self.fenced
        if not self.fenced:
            self.durable += old.said
            for effect in old.held:
                self._perform(effect)

    # -- the world's part

    def _admit(self, chance: float) -> None:
        """Let it begin, if it waits for its turn."""
        if self._turn_comes(1 + self.turns, chance):
            self._say(e.Admitted(self.at))

    def _turn_comes(self, number: int, chance: float) -> bool:
        """Drawn apart: what it waits for changes nothing else."""
        return uniform(number_of(self.seed, "turn"), number) < chance

    def _storm(self) -> None:
        self.turns += 1
        if self.machine.state.lined is not None:
            self._admit(0.2)
        if self.storms and self.storms[0][0] <= self.turns:
            _, kind = self.storms[0]
            heapreplace(self.storms, (self.turns + self.faults.wait(kind), kind))
            self.fired[kind] += 1
            STORMS[kind](self)
            return
        dice = self.rng.random()
        if dice < 0.4 and (self.said or self.held):
            self._commit()
        elif dice < 0.55 or not self._something_happens():  # also if there was nothing to commit
            self._time_passes()

    def abort(self) -> None:
        self._say(e.AbortAsked(self.at, "enough"))

    def jump(self) -> None:
        self.at += 1000.0 * self.rng.random()

    def go_back(self) -> None:
        self.at = max(1000.0, self.at - 100.0 * self.rng.random())

    def _calm(self) -> None:
        if self.machine.state.lined is not None:
            self._admit(1.0)
        self._commit()
        if not self._something_happens():
            self._time_passes()

    def _over(self) -> bool:
        return not self.said and not self.held and self.machine.state.scopes[0].phase.terminal

    def _time_passes(self) -> None:
        if self.faults.calm or self.rng.random() < 0.3:
            self.at = max(self.at, min([t.due for t in self.timers], default=self.at))
        else:
            self.at += self.rng.random() * 3
        for timer in [t for t in self.timers if t.due <= self.at]:
            self.timers.remove(timer)
            self.fired[f"timer {timer.kind}"] += 1
            self._say(e.TimerFired(self.at, timer.kind, timer.node, timer.attempt))
        self.passed += 1
        if not self.passed % CLOCK_EVERY:
            timeouts.check(self)

    def _something_happens(self) -> bool:
        """One answer of the world, if one is due; or a kernel that was paused goes on."""
        due: list[tuple[Callable[[World, Any], None], Collection[Any]]] = [each for each in self.asked if each[1]]
        if self.machine.state.gates:
            due.append((World._gate, self._answerable()))
        if self.reporting:
            attempts = self.open(self.reporting)
            if len(attempts) < len(self.reporting):  # what has ended comes back with a restart only
                self.reporting = dict.fromkeys(attempts)
            if attempts:
                due.append((World._attempt, attempts))
        if self.paused:
            due.append((World._go_on, range(len(self.paused))))
        count = 0
        for _, whats in due:
            count += len(whats)
        if not count:
            return False
        which = self.rng.below(count)
        for answer, whats in due:
            if which < len(whats):
                answer(self, next(islice(whats, which, None)))  # sets of numbers have one order in every process
                break
            which -= len(whats)
        return True

    def open(self, attempts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of the attempts for which the machine still waits."""
        state, found = self.machine.state, []
        nodes, items, bodies, count = state.nodes, state.items, state.bodies, len(state.nodes)
        for key in attempts:
            address, number = key
            node = nodes[address] if address < count else items.get(address)
            if node is not None and node.attempts:
                last = node.attempts[-1]
                if last.ended_at is None and last.number == number:
                    body = bodies.get(address)
                    if body is None or not body.ended:
                        found.append(key)
        return found

    def _lookup(self, node: int) -> None:
        self.lookups.discard(node)
        if self.faults.strikes("a lookup fails"):
            self._say(e.CacheMissed(self.at, node, CacheStatus.LOOKUP_FAILURE, "it raised", publish=False))
        elif self.faults.strikes("somebody else computes the same"):
            self._say(e.CacheHeld(self.at, node, "elsewhere/n", self.at + 1.0))
        elif not self.faults.calm and self.rng.random() < 0.2:
            self._say(e.CacheHit(self.at, node, outputs_of(self.machine, node), "elsewhere/n/0"))
        else:
            self._say(e.CacheMissed(self.at, node, CacheStatus.MISS, "new", publish=True))

    def _publication(self, node: int) -> None:
        self.publications.discard(node)
        failed = self.faults.strikes("a publication fails")
        self._say(e.CacheStored(self.at, node, CacheStatus.PUT_FAILURE if failed else CacheStatus.POPULATED, ""))

    def _load(self, node: int) -> None:
        self.loads.discard(node)
        if self.faults.strikes("a stored value is gone"):
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
            ended = self.children[node] = self._child_end(node)
        self.awaited.discard(node)
        self._say(ended)

    def _child_end(self, node: int) -> e.ChildEnded:
        if self.faults.strikes("a child fails"):
            return e.ChildEnded(self.at, node, {}, "child", ErrorInfo("ChildFailed", "it failed", retryable=False))
        if self.faults.strikes("a child is aborted by others"):
            return e.ChildEnded(self.at, node, {}, "child", aborted=True)
        return e.ChildEnded(self.at, node, outputs_of(self.machine, node), "child")

    def _answerable(self) -> list[int]:
        """Gates that wait for somebody. Of those that do not wait for ever, some wait in vain."""
        nodes = self.machine.graph.nodes
        gates = [(n, nodes[n].kind.spec) for n in self.machine.state.gates]  # type: ignore[union-attr]
        waiting = [(n, spec.timeout_s is not None) for n, spec in gates if spec.gate != "sleep"]  # type: ignore[union-attr]
        return [n for n, ends in waiting if not (ends and self._turn_comes(n + 1, IGNORED_SHARE))]

    def _gate(self, node: int) -> None:
        kind = self.machine.graph.nodes[node].kind
        assert isinstance(kind, GateKind)
        answer = self._answer_to(kind.spec)
        name = self.rng.choice((self.machine.graph.id(node), kind.spec.name))
        event = e.Signalled(self.at, name, answer, f"s{self.rng.getrandbits(32)}")
        self._say(event)
        if self.faults.strikes("an answer comes twice"):
            self._say(event)

    def early_answer(self) -> None:
        state = self.machine.state
        open_ = [n.kind for n, s in zip(self.machine.graph.nodes, state.nodes, strict=True) if not s.phase.terminal]
        if gates := [kind.spec for kind in open_ if isinstance(kind, GateKind) and kind.spec.gate != "sleep"]:
            spec = self.rng.choice(gates)
            self._say(e.Signalled(self.at, spec.name, self._answer_to(spec), f"e{self.rng.getrandbits(32)}"))

    def _answer_to(self, gate: GateSpec) -> Inline:
        return Inline(self.rng.below(10) if gate.gate == "input" else not self.faults.strikes("somebody rejects"))

    def _attempt(self, key: tuple[int, int]) -> None:
        """It begins, or it ends; once it has ended, it reports the same however often it is asked."""
        attempt, (node, number) = self.attempts[key], key
        if attempt.lined and not attempt.cancelled:
            self._say(e.SlotsFree(self.at, node, number))
            return
        if attempt.report is None and not attempt.running and not attempt.cancelled and self.rng.random() < 0.6:
            attempt.running = True
            self._say(e.AttemptRunning(self.at, node, number))
            return
        if attempt.report is None:
            attempt.report = self._end(attempt, node, number)
        self._say(attempt.report)
        if self.faults.strikes("an end is reported twice"):
            self._say(attempt.report)

    def _end(self, attempt: Attempt, node: int, number: int) -> e.Event:
        if attempt.cancelled and (attempt.lined or not self.faults.strikes("a cancelled attempt ends by itself")):
            return e.AttemptAborted(self.at, node, number, "as you wished")
        for kind, error in FAILURES.items():
            if self.faults.strikes(kind):
                return e.AttemptFailed(self.at, node, number, error)
        if self.faults.strikes("an attempt is stopped by others"):
            return e.AttemptAborted(self.at, node, number)
        if attempt.replay is not None:
            return self._turn(attempt.replay, node, number)
        self.fired["an attempt succeeds"] += 1
        return e.AttemptSucceeded(self.at, node, number, outputs_of(self.machine, node))

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

    def late(self) -> None:
        """An event arrives once more, long after its time. A call's answer comes once, and timers end with their kernel."""
        event = self.rng.choice(self.past)
        if not isinstance(event, _ONCE):
            self._say(event)

    def foreign(self) -> None:
        """Reports about attempts that never were."""
        node, number = self.rng.randrange(len(self.machine.state.nodes)), self.rng.choice((-1, 77, 99))
        gate = self.rng.choice(sorted(self.machine.state.gates) or (node,))
        reports: tuple[e.Event, ...] = (
            e.AttemptRunning(self.at, node, number), e.AttemptSucceeded(self.at, node, number, {"o0": Inline(1)}),
            e.AttemptAborted(self.at, node, number), e.TimerFired(self.at, "run", node, number),
            e.TimerFired(self.at, "retry", node, number), e.AttemptAborted(self.at, 10**6, 0),
            e.AttemptSuspended(self.at, node, number), e.TimerFired(self.at, "gate", gate, 0),
            e.AttemptAborted(self.at, node | 10**3 << 32, 0), e.Signalled(self.at, "nobody", Inline(1), f"f{number}"),
        )  # fmt: skip
        self._say(self.rng.choice(reports))

    def check_facts(self) -> None:
        """The facts are the state, when all that was said is durable."""
        if self.machine.state != self.reader.read(self.durable):
            raise Broken("the facts are the state")

    def check_snapshot(self) -> None:
        """What a snapshot is read as is the state."""
        if decode_state(encode_state(self.machine.state)) != self.machine.state:
            raise Broken("a snapshot is the state")


_ONCE = (e.CacheHit, e.CacheMissed, e.CacheHeld, e.CacheStored, e.Loaded, e.ChildEnded, e.TimerFired)
STORMS: dict[str, Callable[[World], None]] = {
    "a kernel is paused": World.pause,
    "a report comes late": World.late,
    "a foreign report": World.foreign,
    "somebody aborts": World.abort,
    "an answer comes early": World.early_answer,
    "the clock jumps ahead": World.jump,
    "the clock goes back": World.go_back,
}
"""Faults that strike by themselves, in the place of what else would have happened at that time."""
FACTS: dict[type, str] = {kind: f"fact {kind.__name__}" for kind in get_args(Fact)}


def same_node(graph: Graph, other: Graph, address: int) -> bool:
    """Whether an address is that of the same node in both, which may have called different things since they parted."""
    scope, theirs = graph.scope_of(node_of(address)), other.scope_of(node_of(address))
    return scope == theirs and graph.plans[scope] is other.plans[theirs] and graph.prefix(scope) == other.prefix(theirs)


def outputs_of(machine: Machine, address: int) -> Literals:
    """What a task gives: a number, small; or a stored list of some items."""
    task = machine.graph.task(address)
    outputs = task.interface.outputs if task is not None else ()
    if task is not None and not outputs:
        return {}
    if outputs and isinstance(outputs[0].type, ListType) and address not in machine.state.maps:
        return {"o0": Offloaded(str(address % 4), 100_000, "sha256:list")}
    return {"o0": Inline(address % 11)}
