"""A seed: what is in the world, a storm, a calm, and what must be true then."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import ConflictError
from wingbeat.contracts.engine import Quota
from wingbeat.contracts.observer import Published
from wingbeat.engine import archive, feed, held, live
from wingbeat.engine import engine as engine_module
from wingbeat.spec.entities import Closure, ConcurrencySpec, MapSpec, NodeSpec, Promise, TaskSpec, WorkflowSpec
from wingbeat.spec.literal import Inline
from wingbeat.testing.bodies import Script
from wingbeat.testing.graphs import LIST, MANY, ONE, OTHER_POOL, POOL, Graphs
from wingbeat.testing.virtual.catalog import Entries
from wingbeat.testing.virtual.checks import check_end, check_live, check_quiet
from wingbeat.testing.virtual.executor import Outside
from wingbeat.testing.virtual.journal import Store
from wingbeat.testing.virtual.kernels import Beside, Gone, Kernel, Slot
from wingbeat.testing.virtual.loop import Deadlock
from wingbeat.testing.virtual.storage import SimStorage
from wingbeat.testing.virtual.users import REFUSALS, User
from wingbeat.testing.virtual.world import World

CALM_S_MAX = 20_000.0
LOOK_S = 5.0
BACK_S_MAX = -150.0


class Result(Struct):
    """What came of a seed: a digest of all that happened, and how much it was."""

    seed: int
    trace: str
    executions: int
    attempts: int
    kernels: int
    turns: int
    seconds: float


class Scene:
    """Everything that is in the world of one seed.

    Attributes:
        acknowledged: Executions whose launch was answered.

        limit: Of executions, for those that are launched under one.

        pools: Slots by pool.

        quota: Of the place in which the executions of some are.

        holder: The kernel that was started last.

        again: How a seed is played again, for people.
    """

    again = "python -m wingbeat.testing.virtual --seeds {seed}"

    def __init__(self, world: World) -> None:
        self.world = world
        seed, rng = world.seed, world.chance.rng("graphs")
        graphs = Graphs(rng)
        self.closures = [graphs.closure(rng.choice((0, 0, 1, 1, 2))) for _ in range(rng.choice((1, 2)))]
        if rng.random() < 0.3:
            self.closures[-1] = _stored_map(graphs)
        some = graphs.entities[graphs.task(ONE)]
        assert isinstance(some, TaskSpec)
        self.any_task = some
        slots = world.chance.rng("pools").choice
        self.pools = {POOL: slots((1, 2, 2, 4)), OTHER_POOL: slots((1, 2))}
        self.limit = _limit(world.chance.rng("limits"))
        self.quota = _quota(world.chance.rng("quotas"))
        self.store = Store(world, {} if self.limit is None else {self.limit.name: self.limit.limit}, self.quota)
        self.outside = Outside(world, self.store, Script(seed, sorted(graphs.templates)), graphs.close, self.pools)
        self.catalog, self.storage = Entries(world), SimStorage(world)
        self.kernels: list[Kernel] = []
        self.acknowledged: dict[str, None] = {}
        self.holder: Kernel | None = None
        self.held_at = 0.0
        self.observer = _Observer(world)

    def kernel(self) -> Kernel:
        """A new process."""
        self.kernels.append(Kernel(self, len(self.kernels)))
        return self.kernels[-1]

    # -- what scenes with more in them have besides

    def beside(self, kernel: Kernel) -> Beside | None:
        """What runs in a kernel's process beside its engine."""
        return None

    def others(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on until the calm besides users."""
        return []

    async def leave(self, kernels: list[Kernel]) -> None:
        """In the calm, before the last kernel starts: end those that would not let it."""

    async def calmed(self, last: Kernel) -> None:
        """In the calm, when the last kernel has started."""

    async def ended(self, last: Kernel) -> None:
        """When everything has ended, and the last kernel is still there."""

    # -- the play

    async def play(self) -> None:
        """Storm, then calm."""
        world, chance = self.world, self.world.chance
        doings = [asyncio.create_task(Slot(self, n).run()) for n in range(chance.slots)]
        users = [asyncio.create_task(self._user(n)) for n in range(chance.users)]
        users += [asyncio.create_task(each) for each in self.others()]
        end = world.loop.now + chance.storm_s
        while world.loop.now < end:
            await asyncio.sleep(LOOK_S * chance.rng("scene").random())
            self._weather()
        chance.calm = True
        world.note("scene", "calm")
        await self._settle()
        await asyncio.gather(*doings, *users)
        await self._finish()

    async def _user(self, number: int) -> None:
        while not self.world.calm and not any(k.answers for k in self.kernels):
            await asyncio.sleep(1.0)
        await User(self, number).run()

    def _weather(self) -> None:
        world, rng = self.world, self.world.chance.rng("weather")
        if world.chance.fires("clock: jumps ahead"):
            world.clock.jump(rng.choice((5.0, 100.0, 5000.0)))
        if world.clock.ahead > BACK_S_MAX and world.chance.fires("clock: jumps back"):
            world.clock.jump(-rng.choice((5.0, 100.0)))
        for kernel in self.kernels:
            if kernel.answers:
                check_live(kernel)
                if world.chance.fires("executor: reports what nobody asked for"):
                    self.outside.babble(kernel, rng)

    async def _settle(self) -> None:
        """A last kernel takes over; those that were held go on and find out; everything ends."""
        world = self.world
        self.outside.settle()
        for kernel in self.kernels:
            if not kernel.started:
                kernel.kill("before it has started")
        await self.leave([k for k in self.kernels if not k.ended])
        old = [k for k in self.kernels if not k.ended]
        last = self.holder = self.kernel()
        world.check(await last.start(), "I1", "no kernel starts in the calm")
        for kernel in old:
            kernel.thaw()
        await self.calmed(last)
        end, leave = world.loop.now + CALM_S_MAX, world.loop.now + 60.0
        while self.store.live and world.loop.now < end:
            await asyncio.sleep(LOOK_S)
            await self._answer(last)
            if world.loop.now > leave:
                for kernel in old:
                    if not kernel.ended:
                        await kernel.close()
        if self.store.live:
            world.fail("I1", f"these do not end: {list(self.store.live)}")
        for kernel in old:
            if not kernel.ended:
                await kernel.close()
        check_live(last)

    async def _answer(self, kernel: Kernel) -> None:
        """Say yes to every gate."""
        for id in list(self.store.live):
            machine = self.store.shadows[id].machine
            for gate in sorted(machine.state.gates):
                key = f"calm-{self.world.loop.now}-{id}-{gate}"
                try:
                    await kernel.call(_yes(id, machine.graph.id(gate), key))
                except ConflictError:
                    continue  # it has ended meanwhile
                except REFUSALS as error:
                    self.world.check(not isinstance(error, Gone), "I1", f"{kernel.name} is gone in the calm")

    async def _finish(self) -> None:
        last = self.holder
        assert last is not None
        await asyncio.sleep(100.0)
        if self.world.broken is None:
            await self.ended(last)
            check_quiet(last)
            check_end(self)
            await last.close()


def _limit(rng: random.Random) -> ConcurrencySpec | None:
    """Under what the executions of some are launched, in some worlds."""
    return ConcurrencySpec("shared", rng.choice((1, 1, 2, 3))) if rng.random() < 0.4 else None


def _quota(rng: random.Random) -> Quota | None:
    """In which place some are, in some worlds."""
    return Quota("place", rng.choice((1, 2, 3))) if rng.random() < 0.4 else None


def _stored_map(graphs: Graphs) -> Closure:
    """A map over a list that is stored."""
    calls = (graphs.task(LIST), graphs.task(ONE), graphs.task(MANY))
    nodes = (
        NodeSpec("list", 0, {"x": Promise(output="x")}),
        NodeSpec("map", 1, {"x": Promise("list", "o0")}, kind=MapSpec(("x",), graphs.rng.choice((None, 1, 2)))),
        NodeSpec("all", 2, {"given": Promise("map", "o0")}),
    )
    return graphs.close(graphs.add(WorkflowSpec("jobs.stored", ONE, calls, nodes, {"o0": Promise("all", "o0")})))


def _yes(id: str, name: str, key: str) -> Any:
    return lambda engine: engine.signal(id, name, Inline(True), key)


class _Observer:
    """Hears everything, and is no better than the others."""

    def __init__(self, world: World) -> None:
        self._chance = world.chance

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""

    async def observe(self, events: list[Published]) -> None:
        """Take some events."""
        if self._chance.fires("observer: raises"):
            raise OSError("the observer is away")
        if self._chance.fires("observer: hangs"):
            await asyncio.sleep(CALM_S_MAX)


@contextmanager
def tuned() -> Iterator[None]:
    """Bounds so low that small executions reach them."""
    wanted: list[tuple[Any, str, float]] = [
        (live, "SNAPSHOT_FACTS_MIN", 12), (archive, "PLANS_MAX", 4), (feed, "QUEUE_MAX", 2), (engine_module, "DRAIN_MAX", 3),
        (held, "AGAIN_S", 1.0),  # what waits for others would be most of what there is to compute
    ]  # fmt: skip
    old = [(module, name, getattr(module, name)) for module, name, _ in wanted]
    for module, name, value in wanted:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in old:
            setattr(module, name, value)


def play(seed: int, fired: Counter[str] | None = None, scene_of: Callable[[World], Scene] = Scene) -> Result:
    """Run a seed. Raises `wingbeat.testing.invariants.Broken`, with all that is needed to look into it."""
    world = World(seed, fired)
    loop = world.loop
    asyncio.set_event_loop(loop)
    scene = None
    try:
        with tuned():
            scene = world.context.run(scene_of, world)
            try:
                loop.run_until_complete(world.context.run(loop.create_task, scene.play(), context=world.context))
            except (Deadlock, RuntimeError) as error:
                if world.broken is None:
                    world.fail("I1", f"{type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001  # so that it is told with its seed
                world.fail("harness", f"{type(error).__name__}: {error}")
                assert world.broken is not None
                world.broken.__cause__ = error
            loop.bury([k.process for k in scene.kernels])
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    if world.broken is not None:
        world.broken.args = (f"{world.broken}\n{_told(world, scene.again)}",)
        raise world.broken
    return Result(
        seed,
        world.trace(),
        len(scene.store.records),
        len(scene.outside.attempts),
        len(scene.kernels),
        loop.turns,
        loop.now,
    )


def _told(world: World, again: str) -> str:
    lines = [f"seed {world.seed}; again: {again.format(seed=world.seed)}", "drawn:"]
    lines += [world.chance.options(), "the last that happened:"]
    lines += [f"  {at:10.4f} {who:10} {what}" for at, who, what in world.last]
    return "\n".join(lines)
