"""People who launch, watch, answer and stop, and who go away in the middle of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from wingbeat.base.errors import ConflictError, EngineStopped, JournalUnknown, LimitReached, NotFound
from wingbeat.contracts.engine import LaunchReply, LaunchRequest, Quota
from wingbeat.contracts.journal import FencedOut, StorageFull
from wingbeat.contracts.observer import Published
from wingbeat.engine.engine import LocalEngine
from wingbeat.engine.identity import launch_key
from wingbeat.engine.publish import published
from wingbeat.machine.contradiction import repeats
from wingbeat.machine.fact import SignalKept
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.virtual.checks import check_view
from wingbeat.testing.virtual.kernels import Gone, Kernel

if TYPE_CHECKING:
    from wingbeat.testing.virtual.run import Scene

THINKS_S = 4.0
ANSWER_S_MAX = 5_000.0
REFUSALS = (EngineStopped, JournalUnknown, FencedOut, StorageFull, NotFound, Gone)
"""What a user may be told while things go wrong."""

SLOW_EVENTS = 20
"""Behind so many a slow reader hurries: what it reads may be a long list, which no kernel that is closed waits for."""


class User:
    """One of them."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene, self.world = scene, scene.world
        self.name = f"user {number}"
        self._rng = self.world.chance.rng(self.name)
        self._doings: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until the calm; then wait for all answers."""
        rng, world = self._rng, self.world
        await self._launch()
        while not world.calm:
            await asyncio.sleep(rng.expovariate(1 / THINKS_S))
            if not world.calm:
                self._do(rng.choices(self._KINDS, self._WEIGHTS)[0])
        await asyncio.gather(*self._doings)

    def _do(self, what: str) -> None:
        """Begin something, perhaps twice, perhaps to leave before it is done."""
        chance = self.world.chance
        task = asyncio.create_task(self._one(what))
        self._doings.append(task)
        if chance.fires("user: leaves"):
            self.world.loop.call_later(self._rng.expovariate(1.0), task.cancel)

    async def _one(self, what: str) -> None:
        self.world.fired[f"call {what}"] += 1
        doing: Coroutine[Any, Any, None] = getattr(self, f"_{what}")()
        with contextlib.suppress(asyncio.CancelledError):
            await doing

    _KINDS = ("launch", "resume", "recover", "abort", "signal", "describe", "wait", "events", "read")
    _WEIGHTS = (5, 2, 2, 1, 4, 4, 2, 2, 1)

    async def _ask(self, make: Any) -> Any:
        """Ask some kernel. None where it could not answer."""
        kernels = [k for k in self.scene.kernels if k.answers]
        if not kernels:
            return None
        kernel: Kernel = self._rng.choice(kernels)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await kernel.call(make)
        except REFUSALS as error:
            self.world.fired[f"refused: {type(error).__name__}"] += 1
            return None
        except TimeoutError:
            self.world.fail("I1", f"{kernel.name} does not answer {self.name}")
            return None

    def _some(self) -> str | None:
        """An execution, of the last ones."""
        known = list(self.scene.store.records)
        return self._rng.choice(known[-8:]) if known else None

    # -- what they do

    def _request(self, **more: Any) -> LaunchRequest:
        rng = self._rng
        closure = rng.choice(self.scene.closures)
        inputs: Literals = {"x": Inline(rng.randint(1, 3))}
        return LaunchRequest(
            closure,
            inputs,
            launch_key=launch_key(closure, inputs),
            concurrency=self._concurrency(),
            quota=self._quota(),
            **more,
        )

    def _quota(self) -> Quota | None:
        """That of the place, where there is one, and it is there."""
        return self.scene.quota if self.world.chance.rng(f"{self.name} quotas").random() < 0.7 else None

    def _concurrency(self) -> ConcurrencySpec | None:
        """A limit, where there is one: with any policy and priority."""
        limit, rng = self.scene.limit, self.world.chance.rng(f"{self.name} limits")
        if limit is None or rng.random() < 0.3:
            return None
        policy: Any = rng.choice(("queue", "queue", "queue", "skip", "replace", "fail"))
        return replace(limit, on_limit=policy, priority=rng.choice((0, 0, 2)))

    async def _launch(self) -> None:
        rng = self._rng
        name = rng.choice(("", f"job-{rng.randint(1, 5)}"))
        request = self._request(name=name)
        if name and self.world.chance.fires("user: doubles"):
            await asyncio.gather(self._launched(request), self._launched(request))
        else:
            await self._launched(request)

    async def _resume(self) -> None:
        await self._launched(self._request(resume=True))

    async def _recover(self) -> None:
        if (old := self._some()) is not None:
            await self._launched(self._request(recover=old))

    async def _launched(self, request: LaunchRequest) -> None:
        try:
            reply: LaunchReply | None = await self._ask(lambda engine: engine.launch(request))
        except LimitReached:
            self.world.fired["refused: LimitReached"] += 1
            refuses = request.concurrency is not None and request.concurrency.on_limit == "fail"
            self.world.check(refuses, "I12", "a launch was refused that may wait")
            return
        except ConflictError:
            self.world.fired["refused: ConflictError"] += 1
            in_conflict = bool(request.name or request.recover)
            self.world.check(in_conflict, "I12", "a launch without a name is in conflict")
            return
        if reply is not None:
            self.world.fired["launched" if reply.created else "launched already"] += 1
            self.world.fired["recovered"] += reply.recovered > 0
            durable = reply.id in self.scene.store.records
            self.world.check(durable, "I1", f"{reply.id} was acknowledged and is not in the journal")
            self.scene.acknowledged[reply.id] = None

    async def _abort(self) -> None:
        id = self._some()
        if id is None:
            return

        async def abort(engine: LocalEngine) -> bool:
            await engine.abort(id, "enough")
            return True

        if await self._ask(abort) is not None:
            self.world.check(self.scene.store.shadows[id].over, "I12", f"{id} was said to be aborted and has not ended")

    async def _signal(self) -> None:
        """Answer a gate, or nothing; perhaps twice at once."""
        rng, id = self._rng, self._some()
        view = await self._ask(lambda engine: engine.describe(id)) if id is not None else None
        if id is None or view is None:
            return
        names = [n.gate.name for n in view.nodes if n.gate is not None] + [
            n.id for n in view.nodes if n.gate is not None
        ]
        name, value, key = rng.choice(names or ["nobody"]), Inline(rng.random() < 0.7), f"s{rng.getrandbits(48)}"

        async def signal(engine: LocalEngine) -> bool:
            await engine.signal(id, name, value, key)
            return True

        async def once() -> None:
            with contextlib.suppress(ConflictError):
                if await self._ask(signal) is not None:
                    shadow = self.scene.store.shadows[id]
                    kept = any(isinstance(f, SignalKept) and f.id == key for f in shadow.facts)
                    known = kept or repeats(shadow.machine, name, value)
                    self.world.check(known, "I12", f"the answer {key} to {id} is not in the journal")

        await asyncio.gather(*(once() for _ in range(1 + self.world.chance.fires("user: doubles"))))

    async def _describe(self) -> None:
        id = self._some()
        if id is not None:
            view = await self._ask(lambda engine: engine.describe(id, nodes=self._rng.random() < 0.7))
            if view is not None:
                check_view(self.world, self.scene.store, view)

    async def _wait(self) -> None:
        id = self._some()
        phase: ExecutionPhase | None = await self._ask(lambda engine: engine.wait(id)) if id is not None else None
        if id is not None and phase is not None:
            state = self.scene.store.shadows[id].machine.state
            self.world.check(phase is state.phase, "I12", f"{id} was said to be {phase}, and is {state.phase}")

    async def _events(self) -> None:
        id = self._some()
        if id is None:
            return
        cursor, slow = self._rng.choice((-1, -1, 2, 10)), self._rng.random() < 0.3
        got: list[Published] = []

        async def follow(engine: LocalEngine) -> bool:
            async with contextlib.aclosing(engine.events(id, cursor)) as events:  # type: ignore[type-var]
                async for event in events:
                    got.append(event)
                    if slow and len(got) < SLOW_EVENTS:
                        await asyncio.sleep(self._rng.random())
            return True

        whole = await self._ask(follow)
        shadow = self.scene.store.shadows[id]
        expected = published(id, shadow.machine.graph, shadow.facts[cursor + 1 :], cursor + 1)
        if whole is None or not shadow.over:
            self.world.check(whole is None, "I12", f"the events of {id} ended before it did")
            expected = expected[: len(got)]
        same = got == expected
        told = [event.cursor for event in got]
        self.world.check(same, "I12", f"the events of {id} behind {cursor} are not those of the journal: {told}")

    async def _read(self) -> None:
        id = self._some()
        if id is None:
            return
        listed = await self._ask(lambda engine: engine.executions(limit=5))
        for summary in listed or ():
            self.world.check(summary.id in self.scene.store.records, "I12", f"{summary.id} is listed")
        await self._ask(lambda engine: engine.closure(id))
        shadow = self.scene.store.shadows[id]
        await self._ask(lambda engine: engine.explain_cache(id, shadow.machine.graph.id(0)))
