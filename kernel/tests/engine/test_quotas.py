"""Quotas of places: who begins, beside limits of their own and children, over restarts; and what tasks may want."""

import asyncio
import random
from types import SimpleNamespace

import pytest

from wingbeat import Kernel, LaunchPlan, Resources, task, workflow
from wingbeat.base.errors import InputError, LimitReached
from wingbeat.contracts.engine import LaunchRequest, Quota
from wingbeat.engine.admission import Admission
from wingbeat.engine.archive import LIMIT
from wingbeat.engine.asked import QUOTA, labels_of
from wingbeat.engine.children import PARENT
from wingbeat.machine.event import AbortAsked, Admitted, Launched
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.policies import ResourceSpec
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.fakes import ScriptedExecutor
from wingbeat.testing.plans import Job, make_closure

POLICIES = ("queue", "queue", "queue", "replace", "skip", "fail")
FLOW = make_closure({"a": Job()})


class World:
    """Executions of two places and two limits, some of them children of others, and a kernel that is killed now and then."""

    def __init__(self, seed):
        self.rng, self.now, self.number = random.Random(seed), 1000.0, 0
        self.lives, self.events = {}, []
        self.quotas = {"P": self.rng.choice((1, 2, 3)), "Q": 1}
        self.bounds = {"A": self.rng.choice((1, 2)), "B": 1}
        self.ended = 0
        self.begin()

    def begin(self):
        clock = SimpleNamespace(now=lambda: self.now)
        self.admission = Admission(self.lives, {}, clock, lambda live, event: self.events.append((live, event)))

    def launch(self):
        rng, self.number = self.rng, self.number + 1
        id, place = f"x{self.number}", rng.choice(("P", "Q", ""))
        limit = rng.choice(("A", "B", ""))
        spec = ConcurrencySpec(limit, self.bounds[limit], rng.choice(POLICIES), rng.choice((0, 2))) if limit else None
        begun = [other for other, live in self.lives.items() if live.begun and not live.ending]
        parent = rng.choice(["", "", *begun])
        quota = Quota(place, self.quotas[place]) if place else None
        labels = {PARENT: f"{parent}/n0"} if parent else {}
        request = LaunchRequest(FLOW, {}, id, labels=labels, concurrency=spec, quota=quota, priority=rng.choice((0, 1)))
        try:
            event, phase, own = self.admission.arrive(id, request, Launched(self.now, 0, {}, "", {}, ()))
        except LimitReached:
            return
        record = SimpleNamespace(
            execution=id, labels={**labels, **labels_of(request), **own}, damaged=False, phase=phase
        )
        state = SimpleNamespace(lined=None, phase=phase)
        live = SimpleNamespace(id=id, record=record, machine=SimpleNamespace(state=state), begun=False, ending=False)
        live.place = place if place and not parent else ""
        self.lives[id] = live
        self.events.append((live, event))
        self.admission.launched(id)

    def deliver(self):
        """The next event becomes durable."""
        live, event = self.events.pop(0)
        if self.lives.get(live.id) is not live:
            return
        state = live.machine.state
        if isinstance(event, Launched) and event.queued is not None:
            state.lined = SimpleNamespace(limit=event.queued, at=event.at)
        elif isinstance(event, Launched) or (isinstance(event, Admitted) and not live.begun):
            assert not live.begun, "it begins once"
            live.begun, state.lined, state.phase = True, None, ExecutionPhase.RUNNING
            self.check()
        elif isinstance(event, AbortAsked):
            self.abort(live)

    def abort(self, live):
        if not live.begun:
            self.over(live)
            return
        live.ending, live.machine.state.phase = True, ExecutionPhase.ABORTING
        for child in self.children(live):
            self.abort(child)

    def children(self, live):
        return [each for each in self.lives.values() if self.parent(each) == live.id]

    def parent(self, live):
        return live.record.labels.get(PARENT, "").partition("/")[0]

    def over(self, live):
        del self.lives[live.id]
        self.ended += 1
        self.admission.ended(live.id)

    def end(self):
        """One that runs ends, unless it waits for others."""
        able = [live for live in self.lives.values() if live.begun and not self.children(live)]
        if able:
            self.over(self.rng.choice(able))

    def check(self):
        begun = [live for live in self.lives.values() if live.begun]
        for place, most in self.quotas.items():
            assert sum(live.place == place for live in begun) <= most, "never more than the quota"
        for limit, most in self.bounds.items():
            assert sum(live.record.labels.get(LIMIT) == limit for live in begun) <= most, "never more than the limit"

    def restart(self):
        """What was not durable is gone."""
        for live, event in self.events:
            if isinstance(event, Launched):
                self.lives.pop(live.id, None)
        self.lives = {id: live for id, live in self.lives.items() if live.begun or live.machine.state.lined is not None}
        while orphans := [live for live in self.lives.values() if self.parent(live) not in {"", *self.lives}]:
            for live in orphans:  # they would have been launched behind their parents
                del self.lives[live.id]
        self.events = []
        self.begin()
        self.admission.adopt(self.lives.values())


@pytest.mark.parametrize("seed", range(40))
def test_in_random_worlds_nobody_passes_a_quota_and_everybody_begins(seed):
    world = World(seed)
    for _ in range(200):
        world.now += world.rng.random()
        what = world.rng.random()
        if what < 0.35:
            world.launch()
        elif what < 0.75 and world.events:
            world.deliver()
        elif what < 0.98:
            world.end()
        else:
            world.restart()
    for _ in range(5000):
        if world.events:
            world.deliver()
        elif world.lives:
            before = world.ended
            world.end()
            assert world.ended > before, f"these wait for ever: {sorted(world.lives)}"
    assert not world.lives
    assert world.ended > 10


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")


@pytest.fixture
def slow(bench):
    """Attempts that run until they are ended by hand."""
    bench.executor = ScriptedExecutor(lambda _: None)
    return bench


async def test_a_quota_holds_beside_a_limit_and_over_a_restart(slow):
    spec, quota = ConcurrencySpec("nightly", 1), Quota("eta/production", 2)
    async with slow.engine() as engine:
        for name in ("one", "two"):
            await engine.launch(slow.request(FLOW, name, concurrency=spec, quota=quota))
        for name in ("three", "four"):
            await engine.launch(slow.request(FLOW, name, quota=quota))
        await until(lambda: list(slow.executor.running) == ["one/a/0"])
        assert "limit 'nightly' is held by one" in await engine.explain_waiting("two")
        told = (
            "three has not begun: waiting for its turn: 2 of 2 of limit 'quota of eta/production' are held by one, two"
        )
        assert await engine.explain_waiting("three") == told
    async with slow.engine() as engine:
        await until(lambda: "one/a/0" in slow.executor.recovered)
        assert [str((await engine.describe(n)).phase) for n in ("two", "three", "four")] == ["QUEUED"] * 3
        slow.executor.end("one/a/0")
        await until(lambda: sorted(slow.executor.running) == ["three/a/0", "two/a/0"])
        await engine.abort("three", "not wanted")
        await until(lambda: "four/a/0" in slow.executor.running)


async def test_a_launch_that_is_refused_or_skipped_takes_no_place(slow):
    quota = Quota("eta/production", 2)
    async with slow.engine() as engine:
        await engine.launch(slow.request(FLOW, "one", concurrency=ConcurrencySpec("nightly", 1), quota=quota))
        for policy in ("fail", "skip") * 2:
            spec = ConcurrencySpec("nightly", 1, policy)
            launch = engine.launch(slow.request(FLOW, f"{policy}", concurrency=spec, quota=quota))
            await (launch if policy == "skip" else pytest_raises(launch))
        await engine.launch(slow.request(FLOW, "two", quota=quota))
        await until(lambda: sorted(slow.executor.running) == ["one/a/0", "two/a/0"])


async def pytest_raises(launch):
    with pytest.raises(LimitReached):
        await launch


async def test_a_quota_that_is_raised_counts_from_the_next_launch_on(slow):
    async with slow.engine() as engine:
        for name, most in (("one", 1), ("two", 1), ("three", 3)):
            await engine.launch(slow.request(FLOW, name, quota=Quota("eta/production", most)))
        await until(lambda: len(slow.executor.running) == 3)


async def test_a_task_that_wants_too_much_is_refused_at_the_launch(slow):
    closure = make_closure({"a": Job(resources=ResourceSpec(cpu=4, memory_bytes=2**30))})
    async with slow.engine() as engine:
        for quota in (Quota("eta/production", cpu=2), Quota("eta/production", memory_bytes=2**20)):
            with pytest.raises(InputError, match="may have"):
                await engine.launch(slow.request(closure, "one", quota=quota))
        await engine.launch(slow.request(closure, "one", quota=Quota("eta/production", None, 4, 2**30)))
        assert QUOTA in (await engine.describe("one")).labels
        await until(lambda: slow.executor.running)


@task(resources=lambda inputs: Resources(cpu=inputs.n))
def as_asked(n: int) -> int:
    return n


@workflow
def asking(n: int) -> int:
    return as_asked(n)


child = LaunchPlan(asking, name="child")


@workflow
def parent(n: int) -> int:
    return child(n=n)


@pytest.mark.parametrize("flow", [asking, parent], ids=lambda flow: flow.name)
async def test_what_only_the_call_says_is_looked_at_when_the_attempt_begins(tmp_path, flow):
    quota = Quota("eta/production", executions=1, cpu=2)
    async with Kernel(tmp_path, inline=[as_asked], discover=False) as kernel:
        for n, phase in ((2, "SUCCEEDED"), (3, "FAILED")):
            request = LaunchRequest(closure_of(flow), {"n": Inline(n)}, f"x{n}", quota=quota)
            await kernel.engine.launch(request)
            assert await kernel.engine.wait(f"x{n}") == phase
        error = (await kernel.engine.describe("x3")).error
    assert "as_asked wants 3 cores, and a task in eta/production may have 2" in error.message
