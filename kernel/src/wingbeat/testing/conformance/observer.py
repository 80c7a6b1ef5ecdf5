"""What every observer must do. Derive one test class and say how an observer is made::

    class TestMyObserver(ObserverContract):
        def make(self, home: Home) -> Observer:
            return MyObserver(home.settings("mine", MySettings))

Where it can be asked what has come out of it, `told` says so, and the kit compares.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar

import pytest

from wingbeat.contracts.observer import MISSED, Observer, Published
from wingbeat.spec.phase import AttemptPhase, CacheStatus, ExecutionPhase, NodePhase
from wingbeat.testing.conformance.kit import Kit, held
from wingbeat.testing.home import TemporaryHome

GROWTH_BYTES_MAX = 100
"""So much may be kept of each event of an execution that has ended: no event fits in it."""

ERROR = {"code": "ValueError", "message": "as asked", "kind": "USER", "retryable": True, "evidence": {"exit_code": 1}}


def life(execution: str, nodes: int = 2) -> list[Published]:
    """What is published of an execution whose nodes succeed, but for a retry of each."""
    told: list[tuple[str, str, dict[str, Any]]] = [("execution", ExecutionPhase.RUNNING, {})]
    for number in range(nodes):
        at: dict[str, Any] = {"node": f"n{number}"}
        told += [
            ("cache", CacheStatus.MISS, {**at, "reason": "there is no entry of this task", "cache": CacheStatus.MISS}),
            ("attempt", AttemptPhase.QUEUED, {**at, "task": "m.f", "evidence": {"chosen": {"cpu": 2}}}),
            ("attempt", AttemptPhase.RUNNING, {**at, "evidence": {"pid": 17, "log": "/somewhere/log"}}),
            ("attempt", AttemptPhase.RETRYABLE_FAILED, {**at, "reason": "as asked", "error": ERROR}),
            ("attempt", AttemptPhase.QUEUED, {**at, "attempt": 1}),
            ("attempt", AttemptPhase.RUNNING, {**at, "attempt": 1, "evidence": {"pid": 18}}),
            ("node", NodePhase.SUCCEEDED, {**at, "attempt": 1, "cache": CacheStatus.POPULATED}),
        ]
    told.append(("execution", ExecutionPhase.SUCCEEDED, {}))
    return [
        Published(execution, cursor, 1e9 + cursor, kind, phase, **more)
        for cursor, (kind, phase, more) in enumerate(told)
    ]


def strange(execution: str) -> list[Published]:
    """Events of every kind, with what they may hold at their edges, in an order that no execution has."""
    node = {"node": "n0.17.n2"}
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("scope", ExecutionPhase.RUNNING, {**node, "task": "m.inner", "evidence": {"nodes": 500}}),
        ("items", NodePhase.RUNNING, {**node, "reason": "up to 1000000"}),
        ("node", NodePhase.RUNNING, {**node, "evidence": {"items": 10**6}}),
        ("node", NodePhase.RUNNING, {**node, "evidence": {"arm": 1, "skipped": ["n4", "n5"]}}),
        ("node", NodePhase.RUNNING, {**node, "evidence": {"gate": "ok?", "approval": True, "type": ""}}),
        ("node", NodePhase.RUNNING, {**node, "evidence": {"child": "x1-2"}}),
        ("node", NodePhase.DYNAMIC_RUNNING, node),
        ("signal", "SIGNALLED", {"reason": "ok?"}),
        ("attempt", "CANCELLING", {**node, "reason": "ü🐦\n\0'\"<b>" * 100}),
        ("attempt", AttemptPhase.FAILED, {**node, "attempt": 99, "error": {**ERROR, "trace": "x" * 100_000}}),
        ("cache", CacheStatus.LOOKUP_FAILURE, {**node, "reason": "no"}),
        *(("node", phase, node) for phase in NodePhase),
        *(("execution", phase, {}) for phase in ExecutionPhase),
        ("a kind that is new", "A PHASE THAT IS NEW", {"evidence": {"new": [None, {"deep": [1.5, True]}]}}),
    ]
    return [Published(execution, 50 + n, 0.0, kind, phase, **more) for n, (kind, phase, more) in enumerate(told)]


class ObserverContract(Kit):
    """The contract of `wingbeat.contracts.observer.Observer` as tests.

    Attributes:
        load: So many executions are told in the test of load.
    """

    load: ClassVar[int] = 300

    def make(self, home: TemporaryHome) -> Observer:
        """An observer."""
        raise NotImplementedError(f"{type(self).__name__} has to say how an observer is made: def make(self, home)")

    def told(self, home: TemporaryHome, observer: Observer) -> Iterable[tuple[str, int]] | None:
        """Execution and cursor of each event that has come where the observer brings them, in order; None where nobody knows."""
        return None

    @contextlib.asynccontextmanager
    async def started(self, home: TemporaryHome) -> AsyncIterator[Observer]:
        """An observer that can be told."""
        observer = self.make(home)
        await observer.start()
        try:
            yield observer
        finally:
            await observer.close()

    async def test_a_call_lets_itself_be_cancelled(self, home: TemporaryHome) -> None:
        """`observe`, `close`, when they took too long: what does not end then is left behind, and told nothing more."""
        observer: Any = self.make(home)
        await observer.start()
        try:
            await self.lets_go("observe", lambda: observer.observe(life("x")))
        finally:
            await self.lets_close(observer.close)

    async def test_it_takes_the_life_of_an_execution(self, home: TemporaryHome) -> None:
        """`observe`: takes some events, in the order of their execution; answers nothing."""
        observer: Any = self.make(home)
        assert await observer.start() is None
        for event in life("x1"):
            assert await observer.observe([event]) is None
        assert await observer.observe(life("x2")) is None
        assert await observer.close() is None

    async def test_it_takes_events_of_every_kind(self, home: TemporaryHome) -> None:
        """`Published`: any kind and phase, also new ones; any text; of executions whose beginning it has not seen."""
        async with self.started(home) as observer:
            for event in strange("x1"):
                await observer.observe([event])
            await observer.observe(strange("x2"))
            await observer.observe(life("x3"))

    async def test_it_takes_what_it_was_told_before(self, home: TemporaryHome) -> None:
        """Told from when it was started: another kernel's observer may be told of the same executions, whole or in their middle."""
        events = life("x1")
        for told in (events, events, events[3:]):
            async with self.started(home) as observer:
                await observer.observe(told)

    async def test_it_takes_what_has_gaps(self, home: TemporaryHome) -> None:
        """What is too slow misses events, and is told so: the end of what never began, the beginning of what never ends."""
        events = life("x1", nodes=5)
        async with self.started(home) as observer:
            await observer.observe(events[::3])
            await observer.observe([Published("", -1, 0.0, MISSED, "", evidence={"events": 7}), events[-1]])
            await observer.observe(life("x2")[:4])
            await observer.observe(life("x3"))

    async def test_it_leaves_the_events_as_they_are(self, home: TemporaryHome) -> None:
        """The list is the same for all observers: it is neither changed nor are the events in it."""
        async with self.started(home) as observer:
            for events in (life("x1"), strange("x2")):
                before = copy.deepcopy(events)
                await observer.observe(events)
                assert events == before

    async def test_what_comes_out_is_what_went_in(self, home: TemporaryHome) -> None:
        """Every event, in order for each execution, when it was closed at the latest. Where `told` says what has come out."""
        if self.told(home, self.make(home)) is None:
            pytest.skip("nobody knows what has come out: override told()")
        lives = [life(f"x{n}", nodes=3) for n in range(5)]
        async with self.started(home) as observer:
            for number, batch in enumerate(zip(*lives, strict=True)):
                if number % 2:  # alone, and as the kernel tells what was committed together
                    await observer.observe(list(batch))
                else:
                    for event in batch:
                        await observer.observe([event])
        wanted = {(event.execution, event.cursor) for events in lives for event in events}
        await self.until(lambda: wanted <= set(self.told(home, observer) or ()), "the arrival of every event")
        for number in range(5):
            seen = list(
                dict.fromkeys(cursor for name, cursor in self.told(home, observer) or () if name == f"x{number}")
            )
            assert seen == sorted(seen)

    async def test_a_cancelled_call_does_not_stop_the_next(self, home: TemporaryHome) -> None:
        """`observe`, cancelled at any moment: the next call comes all the same, or `close`."""
        for turns in range(6):
            async with self.started(home) as observer:
                task = asyncio.ensure_future(observer.observe(life(f"x{turns}")))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await observer.observe(life(f"y{turns}"))

    async def test_what_was_never_started_can_be_closed(self, home: TemporaryHome) -> None:
        """`close`: also where the kernel failed before it came to call `start`."""
        await self.make(home).close()

    async def test_nothing_is_left_open(self, home: TemporaryHome) -> None:
        """`close`: lets go of everything."""
        counts = []
        for number in range(4):
            async with self.started(home) as observer:
                await observer.observe(life(f"x{number}"))
            counts.append(held())
        await self.closed(counts[1], counts)  # the first may open what stays

    async def test_many_executions_are_told(self, home: TemporaryHome) -> None:
        """A batch holds what was committed together; nothing stays open of what has ended."""
        async with self.started(home) as observer:
            await observer.observe(life("x"))
            counted = held()
            for number in range(self.load):
                await observer.observe(life(f"x{number}"))
            await self.closed(counted + 2, [counted])

    async def test_it_keeps_nothing_of_what_has_ended(self, home: TemporaryHome) -> None:
        """Bounded: a kernel runs for months; what an observer keeps does not grow with what it was told."""

        async def grown(observer: Observer, letter: str) -> int:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(self.load):
                await observer.observe(life(f"{letter}{number}", nodes=3))
            grown = 0
            end = time.monotonic() + self.settle_s
            while time.monotonic() < end:  # what is to be written or sent is kept until it is
                gc.collect()
                grown = tracemalloc.get_traced_memory()[0] - before
                if grown < GROWTH_BYTES_MAX * told:
                    break
                await asyncio.sleep(0.03)
            return grown

        told = self.load * len(life("x", nodes=3))
        tracemalloc.start()
        try:
            async with self.started(home) as observer:
                await grown(observer, "a")  # what is kept once is kept once
                per_event = await grown(observer, "b") / told
        finally:
            tracemalloc.stop()
        assert per_event < GROWTH_BYTES_MAX, f"it keeps {per_event:.0f} bytes of each event"
