"""Kernels as processes: started, killed at any callback, held for a while, closed; and what starts the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wingbeat.base.errors import NotFound, SetAside
from wingbeat.engine.engine import LocalEngine
from wingbeat.engine.parts import Parts
from wingbeat.testing.virtual.catalog import SimCatalog
from wingbeat.testing.virtual.checks import check_closed
from wingbeat.testing.virtual.executor import SimExecutor
from wingbeat.testing.virtual.journal import SimJournal
from wingbeat.testing.virtual.loop import Process

if TYPE_CHECKING:
    from wingbeat.testing.virtual.run import Scene

T = TypeVar("T")

LEASE_S = 10.0
LOOK_S = 1.0
CLOSE_S_MAX = 600.0
HEARD_S_MAX = 200
LIFE_S = 30.0


class Gone(Exception):
    """The process of a kernel has ended, or does not answer; what was asked for may have happened."""


class Beside(Protocol):
    """What runs in the process of a kernel beside its engine."""

    async def start(self) -> None:
        """Begin, when the engine has started."""

    async def close(self) -> None:
        """End, before the engine is closed."""

    def kill(self) -> None:
        """The process has ended: what the system does with what it had open."""


class Kernel:
    """One process with an engine.

    Attributes:
        beside: What runs there besides, in scenes that have something.

        fenced: Its journal has told it that another kernel has taken over.

        unread: Executions that it could not read when it started, because the journal failed.

        closed: It was closed in order.
    """

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene, self.world = scene, scene.world
        self.name = f"k{number}"
        self.process = Process(self.name, self._burn)
        self.any_task = scene.any_task
        self.fenced = self.started = self.closed = self.failed = False
        self.unread: set[str] = set()
        self._fate = ""
        self._answers: dict[asyncio.Future[Any], asyncio.Task[Any]] = {}
        chance = self.world.chance
        self.journal = SimJournal(scene.store, self)
        self.executor = SimExecutor(scene.outside, self)
        parts = Parts(
            journal=self.journal,
            storage=scene.storage,
            executors={"process": self.executor},
            clock=self.world.clock,
            catalog=SimCatalog(scene.catalog, self) if chance.catalog else None,
            observers={"theirs": scene.observer},
            pools=scene.pools,
        )
        self.engine: LocalEngine = self.process.context.run(LocalEngine, parts)
        self.beside: Beside | None = self.process.context.run(scene.beside, self)

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.process.dead or self.closed

    @property
    def answers(self) -> bool:
        """Whether a user may call it."""
        return self.started and not self.ended

    @property
    def stopped(self) -> BaseException | None:
        """Why its engine has stopped, if it has."""
        return self.engine._stopped  # noqa: SLF001  # who embeds an engine learns it from its next call

    def acts(self, what: str) -> None:
        """It is about to change something outside."""
        self.world.check(not self.fenced, "I3", f"{self.name} goes on though it was fenced out: {what}")
        self.world.check(not self.closed, "I3", f"{self.name} goes on though it was closed: {what}")

    async def start(self) -> bool:
        """Open the journal and go on with what is there."""
        self.world.note(self.name, "starts")
        try:
            await self.call(self._start)
        except Gone:
            return False
        except Exception as error:  # noqa: BLE001  # the world has its faults
            self.world.note(
                self.name, f"does not start: {type(error).__name__}"
            )  # its text may hold the path of a file
            self.world.check(not self.world.calm, "I1", f"{self.name} does not start: {type(error).__name__}: {error}")
            self.failed = True
            self.kill("as it did not start")
            return False
        self.started = True
        self.world.fired["kernel: started"] += 1
        for execution, reason in self.engine.quarantined.items():
            known = execution in self.unread or "JournalUnknown" in reason or "cannot be read" in reason
            self.world.check(known, "I1", f"{execution} cannot go on in {self.name}: {reason}")
        return True

    async def _start(self, engine: LocalEngine) -> None:
        await engine.start(self.name)
        self.world.unread.update(id for id in self.scene.store.live if self._is_set_aside(id))
        if self.beside is not None:
            await self.beside.start()

    async def _close(self, engine: LocalEngine) -> None:
        if self.beside is not None:
            await self.beside.close()
        await engine.close()

    def _is_set_aside(self, execution: str) -> bool:
        try:
            self.engine._recovery.check(execution)  # noqa: SLF001  # what `Engine.describe` would say, without a call
        except SetAside:
            return True
        except NotFound:
            return False
        return False

    async def call(self, make: Callable[[LocalEngine], Coroutine[Any, Any, T]]) -> T:
        """Ask its engine. Raises `Gone` when it ends meanwhile; whoever leaves leaves a cancelled call behind."""
        if self.ended:
            raise Gone
        loop, context = self.world.loop, self.process.context
        task = context.run(loop.create_task, make(self.engine), context=context)
        answer: asyncio.Future[T] = loop.create_future()
        self._answers[answer] = task

        def done(task: asyncio.Task[T]) -> None:
            self._answers.pop(answer, None)
            if answer.done():
                if not task.cancelled():
                    task.exception()  # nobody is there to hear it
            elif task.cancelled():
                answer.set_exception(Gone("cancelled"))
            elif (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        task.add_done_callback(done, context=self.world.context)
        try:
            return await answer
        except asyncio.CancelledError:
            loop.call_soon(task.cancel, context=context)
            raise

    def kill(self, how: str) -> None:
        """End it, here and now."""
        if self.process.dead:
            return
        self.world.note(self.name, f"is killed {how}")
        self.world.loop.kill(self.process)
        if self.beside is not None:
            self.beside.kill()
        for answer in list(self._answers):
            if not answer.done():
                answer.set_exception(Gone())
                answer.exception()
        self._answers.clear()

    def hold(self) -> None:
        """Stop it where it is."""
        self.world.note(self.name, "is held")
        self.world.loop.hold(self.process)

    def thaw(self) -> None:
        """Let it go on."""
        if self.process.held is not None:
            self.world.note(self.name, "goes on")
            self.world.fired["kernel: thawed"] += 1
            self.world.fired["kernel: thawed after a takeover"] += self.scene.holder is not self
            self.world.loop.thaw(self.process)

    def doom(self, callbacks: int, fate: str) -> None:
        """Have something happen to it after so many callbacks."""
        self.process.fuse, self._fate = callbacks, fate

    def _burn(self) -> None:
        self.world.fired[f"kernel: {self._fate} at a callback"] += 1  # many end before their time has come
        if self._fate == "kill":
            self.kill("anywhere")
            return
        rng, scene = self.world.chance.rng("held"), self.scene
        self.hold()
        scene.held_at = self.world.loop.now
        seconds = rng.random() * LEASE_S
        if self.world.chance.fires("kernel: held beyond a takeover"):
            seconds += 2 * LEASE_S
        self.world.loop.call_later(seconds, self.thaw, context=self.world.context)

    async def close(self) -> None:
        """Close it in order. Nothing of it is left."""
        self.world.note(self.name, "is closed")
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.call(self._close)
        except Gone:
            return
        except TimeoutError:
            self.world.fail("I11", f"{self.name} does not close")
            return
        except Exception as error:  # noqa: BLE001  # a plugin may raise when it is closed
            self.world.fail("I11", f"{self.name} raised while it was closed: {type(error).__name__}: {error}")
            return
        self.closed, self.process.fuse = True, -1
        for _ in range(HEARD_S_MAX):  # whoever waited hears of it; some are slow
            await asyncio.sleep(1.0)
            if not self.process.left():
                break
        check_closed(self)
        self.kill("after it was closed")


class Slot:
    """A place for a kernel: starts one when there is none, as whoever holds a home does; and sees to its misfortunes."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene, self.world, self.number = scene, scene.world, number
        self._rng = self.world.chance.rng(f"slot {number}")

    async def run(self) -> None:
        """Until the calm."""
        await asyncio.sleep(self._rng.random() * 3 * self.number)
        while not self.world.calm:
            if self._may_start():
                await self._life()
            await asyncio.sleep(self._rng.uniform(LOOK_S, 5 * LOOK_S))

    def _may_start(self) -> bool:
        """Whether nobody else seems to be there, or one does not care."""
        scene, holder = self.scene, self.scene.holder
        if holder is None or holder.ended or holder.fenced or holder.stopped is not None:
            return True
        if holder.process.held is not None:
            return self.world.loop.now - scene.held_at > LEASE_S
        return self._rng.random() < 0.1 and self.world.chance.fires("kernel: taken over while it runs")

    async def _life(self) -> None:
        scene, chance, rng = self.scene, self.world.chance, self._rng
        kernel = scene.kernel()
        scene.holder = kernel
        if chance.fires("kernel: killed anywhere"):
            kernel.doom(int(rng.expovariate(1 / rng.choice((50, 500, 3000)))), "kill")
        elif chance.fires("kernel: held"):
            kernel.doom(int(rng.expovariate(1 / 800)), "hold")
        if not await kernel.start():
            return
        close_at = self.world.loop.now + rng.expovariate(1 / LIFE_S)
        closes = chance.fires("kernel: closed")
        while not (kernel.ended or self.world.calm):
            await asyncio.sleep(LOOK_S)
            if kernel.process.held is not None:
                continue
            if kernel.stopped is not None and rng.random() < 0.3:
                self.world.fired["engine: stopped by itself"] += 1
                await kernel.close()
            elif closes and self.world.loop.now > close_at:
                await kernel.close()
