"""The machine against a hostile world, repeatable by a seed.

The world plays everything that the engine has around the machine: a journal that loses what was not committed, executors
that are slow, report twice, and go on through a crash, a catalog, timers, and people who abort. A storm with all of that is
followed by a calm in which nothing new goes wrong; there the execution has to end. What must hold is checked on the way.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import ErrorKind
from wingbeat.machine import event as e
from wingbeat.machine.attempts import SYSTEM
from wingbeat.machine.effect import Cancel, Effect, Finish, Lookup, Publish, Release, SetTimer, Submit
from wingbeat.machine.fact import AttemptLost, AttemptQueued, Fact, NodeSucceeded, decode_facts, encode_facts
from wingbeat.machine.fold import replay
from wingbeat.machine.graph import Graph
from wingbeat.machine.state import State, decode_state, encode_state, initial
from wingbeat.machine.step import Machine
from wingbeat.spec.entities import FailurePolicy, RetrySpec, TimeoutSpec
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase
from wingbeat.spec.plan import Plan
from wingbeat.testing.plans import Job, make_plan

STORM_STEPS = 120
CALM_STEPS_MAX = 5000

OPEN = frozenset({AttemptPhase.QUEUED, AttemptPhase.RUNNING})


def random_plan(rng: random.Random) -> Plan:
    """A graph of up to eight nodes with random policies."""
    names: list[str] = []
    jobs: dict[str, Job] = {}
    for i in range(rng.randint(1, 8)):
        before = [n for n in names if rng.random() < 0.35]
        data = [n for n in before if rng.random() < 0.8]
        jobs[f"j{i}"] = Job(
            takes=data,
            after=[n for n in before if n not in data],
            retry=RetrySpec(rng.choice((0, 0, 1, 3)), delay_s=rng.choice((0.0, 1.0, 40.0)), delay_s_max=60.0),
            timeout=TimeoutSpec(*(rng.choice((None, None, None, s)) for s in (5.0, 8.0, 30.0))),
            cache=rng.random() < 0.4,
        )
        names.append(f"j{i}")
    return make_plan(
        jobs,
        returns=rng.sample(names, rng.randint(0, len(names))),
        failure_policy=rng.choice(list(FailurePolicy)),
        timeout_s=rng.choice((None, None, None, 60.0)),
    )


class _Attempt(Struct):
    """What the executor knows of an attempt."""

    running: bool = False
    cancelled: bool = False
    report: e.Event | None = None
    """How it ended."""


class Broken(AssertionError):
    """Something that must hold does not."""


class World:
    """One execution in a random world. `fired` counts what happened to it, by kind."""

    def __init__(self, seed: int, fired: Counter[str] | None = None) -> None:
        self.rng = random.Random(seed)
        self.plan = random_plan(self.rng)
        self.fired: Counter[str] = Counter() if fired is None else fired
        self.at, self.calm = 1000.0, False
        self.machine = Machine(Graph(self.plan), {}, initial(self.plan))
        self.durable: list[Fact] = []
        self.said: list[Fact] = []
        self.held: list[Effect] = []
        self.snapshot: tuple[int, bytes] | None = None
        self.attempts: dict[tuple[int, int], _Attempt] = {}
        self.lookups: set[int] = set()
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
        self._check(self._over(), "it ends when nothing goes wrong any more")
        self._check_end()

    # -- the engine's part

    def _say(self, event: e.Event) -> None:
        self.past.append(event)
        self.fired[type(event).__name__] += 1
        over, before = self.machine.state.phase.terminal, encode_state(self.machine.state)
        effects = self.machine.step(event)
        facts = self.machine.take_facts()
        if over:
            self._check(not facts and encode_state(self.machine.state) == before, "what has ended does not change")
        for fact in facts:
            self._check_fact(fact)
            self.said.append(fact)
        for effect in effects:
            if effect.asks:
                self._perform(effect)
            else:
                self.held.append(effect)
        self._check_state()
        if self.rng.random() < 0.1:
            self._check_replay()
            self._check_outstanding()

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
            case Submit():
                self.attempts.setdefault((effect.node, effect.attempt), _Attempt())
            case Cancel():
                self.attempts.setdefault((effect.node, effect.attempt), _Attempt()).cancelled = True
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

    def _crash(self) -> None:
        """The process is killed: what was not committed is gone, and so are lookups, publications and timers."""
        self.fired["crash"] += 1
        self.said, self.held = [], []
        self.lookups, self.publications, self.timers = set(), set(), []
        if self.snapshot is not None and self.rng.random() < 0.5:
            self.fired["restart from snapshot"] += 1
            count, body = self.snapshot
            state = replay(Graph(self.plan), self.durable[count:], decode_state(body))
            self._check(
                state == replay(Graph(self.plan), self.durable), "a snapshot and the facts behind it are the state"
            )
        else:
            state = replay(Graph(self.plan), decode_facts(encode_facts(self.durable)))
        self.machine = Machine(Graph(self.plan), {}, state)
        effects = self.machine.outstanding()
        self._check_timers([x for x in effects if isinstance(x, SetTimer)])
        for effect in effects:
            self._perform(effect)
        self._check_outstanding()

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
        happenings += [("attempt", key) for key in sorted(self.attempts) if self._awaited(key)]
        if not happenings:
            return False
        kind, what = self.rng.choice(happenings)
        if kind == "lookup":
            self.lookups.discard(what)
            self._say(self._lookup_answer(what))
        elif kind == "publication":
            self.publications.discard(what)
            status = CacheStatus.POPULATED if self.rng.random() < 0.8 else CacheStatus.PUT_FAILURE
            self._say(e.CacheStored(self.at, what, status, ""))
        else:
            self._attempt_goes_on(what)
        return True

    def _awaited(self, key: tuple[int, int]) -> bool:
        """Whether the machine still waits for this attempt."""
        attempts = self.machine.state.nodes[key[0]].attempts
        return key[1] < len(attempts) and attempts[key[1]].phase in OPEN

    def _lookup_answer(self, node: int) -> e.Event:
        answer = self.rng.choice(("hit", "miss", "miss", "held", "failure")) if not self.calm else "miss"
        self.fired[f"lookup {answer}"] += 1
        if answer == "hit":
            return e.CacheHit(self.at, node, _outputs(node), "elsewhere/n/0")
        if answer == "held":
            return e.CacheHeld(self.at, node, "elsewhere/n", self.at + 1.0)
        if answer == "miss":
            return e.CacheMissed(self.at, node, CacheStatus.MISS, "new", publish=True)
        return e.CacheMissed(self.at, node, CacheStatus.LOOKUP_FAILURE, "it raised", publish=False)

    def _attempt_goes_on(self, key: tuple[int, int]) -> None:
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
        self.fired[f"attempt {how}"] += 1
        if how == "success":
            return e.AttemptSucceeded(self.at, node, number, _outputs(node))
        if how == "stopped":
            return e.AttemptAborted(self.at, node, number)
        kind = ErrorKind.SYSTEM if how == "system" else ErrorKind.USER
        return e.AttemptFailed(self.at, node, number, ErrorInfo("Bad", "bad", kind, retryable=how != "never again"))

    def _doubled(self) -> None:
        """An event arrives once more, long after its time. A publication that is under way is not answered by it."""
        event = self.rng.choice(self.past)
        if isinstance(event, e.CacheHit | e.CacheMissed | e.CacheHeld | e.CacheStored):
            return  # they are calls' answers, which come once
        self.fired["doubled"] += 1
        self._say(event)

    def _foreign(self) -> None:
        """Reports about attempts that never were."""
        node, number = self.rng.randrange(len(self.plan.nodes)), self.rng.choice((-1, 7, 99))
        self.fired["foreign"] += 1
        self._say(self.rng.choice((
            e.AttemptRunning(self.at, node, number), e.AttemptSucceeded(self.at, node, number, _outputs(node)),
            e.AttemptAborted(self.at, node, number), e.TimerFired(self.at, "run", node, number),
            e.TimerFired(self.at, "retry", node, number), e.AttemptAborted(self.at, 10**6, 0),
        )))  # fmt: skip

    # -- what must hold

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise Broken(f"not true: {what}; state: {self.machine.state}")

    def _check_fact(self, fact: Fact) -> None:
        state = self.machine.state  # after the step, so phases of upstream nodes are final
        if isinstance(fact, AttemptQueued | NodeSucceeded):
            upstream = self.plan.nodes[fact.node].upstream
            self._check(all(state.nodes[u].phase.success for u in upstream), "upstream nodes have succeeded first")

    def _check_state(self) -> None:
        plan, state = self.plan, self.machine.state
        self._check(state.remaining == sum(not n.phase.terminal for n in state.nodes), "`remaining` counts")
        for i, node in enumerate(state.nodes):
            waits = sum(not state.nodes[u].phase.success for u in plan.nodes[i].upstream)
            self._check(state.waits[i] == waits, "`waits` counts")
            still = [a.phase in OPEN for a in node.attempts]
            self._check(not any(still[:-1]), "a node has one attempt at a time")
            self._check((i in state.live) == any(still), "`live` holds nodes with an attempt")
            self._check((i in state.retrying) == (node.retry_at is not None), "`retrying` holds nodes between attempts")
            self._check(not (node.phase.terminal and any(still)), "an attempt does not outlive its node")
            retry, ended = plan.tasks[plan.nodes[i].task].retry, [a for a in node.attempts if a.error is not None]
            again = [a for a in ended if a.phase is AttemptPhase.RETRYABLE_FAILED]
            system = sum(a.error is not None and a.error.kind == ErrorKind.SYSTEM for a in again)
            self._check(system <= SYSTEM.count, "the system's budget is kept")
            self._check(len(again) - system <= retry.count, "the user's budget is kept")
            self._check(len(node.attempts) <= len(again) + 1, "another attempt follows a retryable failure only")
        if state.phase.terminal:
            self._check(not state.live and not state.retrying, "nothing is under way at the end")

    def _check_replay(self) -> None:
        facts = decode_facts(encode_facts(self.durable + self.said))
        self._check(replay(Graph(self.plan), facts) == self.machine.state, "the facts are the state")
        self._check(decode_state(encode_state(self.machine.state)) == self.machine.state, "a snapshot is the state")

    def _check_outstanding(self) -> None:
        """What a restart would perform is what was asked for and has not ended."""
        state = self.machine.state
        held = {(type(h), h.node, getattr(h, "attempt", -1)) for h in self.held if not isinstance(h, Finish | SetTimer)}
        wanted = self.machine.outstanding()
        asked = {(type(w), w.node, getattr(w, "attempt", -1)) for w in wanted if not isinstance(w, Finish | SetTimer)}
        open_: set[tuple[type, int, int]] = {(Publish, n, -1) for n in self.publications}
        if state.phase is ExecutionPhase.RUNNING:
            looking = self.lookups | {t.node for t in self.timers if t.kind == "lookup"}
            open_ |= {(Lookup, n, -1) for n in looking if state.nodes[n].phase is NodePhase.NOT_STARTED}
        for key, attempt in self.attempts.items():
            if self._awaited(key):
                open_.add((Cancel if attempt.cancelled else Submit, *key))
        if not state.phase.terminal:
            both = open_ | {h for h in held if h[0] is not Release and (h[0] is Publish or self._awaited((h[1], h[2])))}
            both -= {(Submit, n, a) for kind, n, a in both if kind is Cancel}  # to be cancelled before it was submitted
            expected = {o for o in both if o[0] is not Publish or o[1] in state.publishing}
            self._check(asked == expected, f"outstanding is {expected - asked} more, {asked - expected} less")
        self._check_timers([w for w in wanted if isinstance(w, SetTimer)])

    def _check_timers(self, wanted: list[SetTimer]) -> None:
        """A timer that was set and would change something must come back after a restart, and no other may."""
        for timer in wanted:
            self._check(timer in self.timers_ever, f"{timer} was set before the restart")
        for timer in self.timers:
            if timer not in wanted and timer.kind != "lookup":
                other = Machine(Graph(self.plan), {}, _copy(self.machine.state))
                other.step(e.TimerFired(timer.due, timer.kind, timer.node, timer.attempt))
                self._check(not other.take_facts(), f"a restart forgets {timer}")

    def _check_end(self) -> None:
        state = self.machine.state
        self._check_replay()
        self._check(self.durable + self.said == self.durable, "the end is durable")
        ends = Counter(
            (f.node, f.attempt)
            for f in self.durable
            if isinstance(f, AttemptLost) or (isinstance(f, NodeSucceeded) and f.attempt >= 0)
        )
        queued = Counter((f.node, f.attempt) for f in self.durable if isinstance(f, AttemptQueued))
        self._check(ends == queued and all(n == 1 for n in queued.values()), "every attempt ended, once")
        for i, node in enumerate(state.nodes):
            numbers = sorted(a for n, a in queued if n == i)
            self._check(numbers == list(range(len(node.attempts))), "attempts are numbered without gaps")
        if state.phase is ExecutionPhase.SUCCEEDED:
            self._check(all(n.phase.success for n in state.nodes), "a success has all its nodes")
            outputs = state.outputs or {}
            self._check(list(outputs) == [v.name for v in self.plan.interface.outputs], "a success has all its outputs")
        if state.phase in (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT):
            self._check(state.error is not None, "a failure has its reason")
        self._check(self.machine.outstanding() == [], "nothing is outstanding at the end")
        self._check(self.finished >= 1, "the end was told")


def _outputs(node: int) -> Literals:
    return {"o0": Inline(node)}


def _copy(state: State) -> State:
    return decode_state(encode_state(state))
