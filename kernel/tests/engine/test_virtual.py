"""The production engine in a virtual world: some seeds in the default tests, more of them, after which everything that can
happen must have happened, where faults are tested. ``SEEDS=20000 pytest …`` plays these, ``SEED=17`` one alone."""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from wingbeat.testing.invariants import Broken
from wingbeat.testing.virtual.chance import RATES
from wingbeat.testing.virtual.loop import Deadlock, Process, VirtualLoop
from wingbeat.testing.virtual.run import play

SEEDS = int(os.environ.get("SEEDS", "100"))
MORE = range(100, 500)
ENOUGH = 300
"""In so many seeds, everything happens."""
EXPECTED = [
    "attempt", "attempt adopted", "body raised", "body returned", "body suspended", "cache filled", "cache held", "cache hit",
    "call abort", "call describe", "call events", "call launch", "call read", "call recover", "call resume", "call signal",
    "call wait", "engine: stopped by itself", "executor: cancelled before it was taken", "fenced out", "kernel: started",
    "kernel: hold at a callback", "kernel: kill at a callback",
    "kernel: thawed", "kernel: thawed after a takeover", "launched", "launched already", "recovered",
    "refused: ConflictError", "refused: EngineStopped", "refused: FencedOut", "refused: Gone", "refused: JournalUnknown",
    "refused: StorageFull", "restart from snapshot", "snapshot",
]  # fmt: skip


@pytest.mark.timeout(max(300, SEEDS))
@pytest.mark.parametrize("seeds", [range(SEEDS), pytest.param(MORE, marks=pytest.mark.faults)], ids=["some", "more"])
def test_whatever_happens_the_engine_keeps_its_promises(seeds):
    if "SEED" in os.environ:
        play(int(os.environ["SEED"]))
        return
    fired: Counter[str] = Counter()
    for seed in seeds:
        try:
            play(seed, fired)
        except Broken as error:
            again = f"again: SEED={seed} pytest kernel/tests/engine/test_virtual.py"
            raise AssertionError(f"{error}\n{again}") from error
    if len(seeds) >= ENOUGH:
        never = [kind for kind in (*RATES, *EXPECTED) if not fired[kind]]
        assert not never, f"these never happened in {len(seeds)} seeds: {never}; they did: {dict(fired)}"


@pytest.mark.timeout(180)
def test_a_seed_is_the_same_in_every_process():
    def traces(hashseed):
        command = [sys.executable, "-m", "wingbeat.testing.virtual", "--seeds", "0:12", "--trace"]
        environment = {**os.environ, "PYTHONHASHSEED": hashseed}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    once = traces("1")
    assert len(once.splitlines()) == 12
    assert once == traces("2")
    assert "".join(f"{seed} {play(seed).trace}\n" for seed in range(12)) == once


@pytest.fixture
def loop():
    made = VirtualLoop(random.Random(1))
    yield made
    made.bury([])
    made.close()


def test_time_jumps(loop):
    async def work():
        await asyncio.sleep(10**6)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        return loop.time()

    assert loop.run_until_complete(work()) == 10**6 + 5


def test_callbacks_that_are_ready_together_run_in_any_order_and_always_in_the_same(loop):
    def order(seed):
        other, seen = VirtualLoop(random.Random(seed)), []

        async def work():
            await asyncio.gather(*(asyncio.to_thread(seen.append, i) for i in range(5)))
            await asyncio.gather(*(asyncio.sleep(0, seen.append(i)) for i in range(5)))

        other.run_until_complete(work())
        other.close()
        return tuple(seen)

    assert len({order(seed) for seed in range(20)}) > 10
    assert order(3) == order(3)


def test_what_can_never_happen_is_told(loop):
    with pytest.raises(Deadlock):
        loop.run_until_complete(asyncio.wait_for(loop.create_future(), None))


def test_what_goes_on_for_ever_and_comes_to_nothing_is_told(loop, monkeypatch):
    monkeypatch.setattr(loop, "_most", 100)

    async def around():
        while True:
            await asyncio.sleep(1)

    with pytest.raises(Deadlock, match="It goes on and on"):
        loop.run_until_complete(around())


def test_a_process_is_held_and_goes_on_and_is_killed_without_a_word(loop):
    process, seen = Process("p", lambda: None), []

    async def inside():
        try:
            for i in range(100):
                await asyncio.sleep(1)
                seen.append(i)
        finally:
            seen.append("said goodbye")

    async def work():
        task = loop.create_task(inside(), context=process.context)
        await asyncio.sleep(2.5)
        loop.hold(process)
        await asyncio.sleep(10)
        assert seen == [0, 1]
        loop.thaw(process)
        await asyncio.sleep(1.5)
        assert seen == [0, 1, 2, 3]
        loop.kill(process)
        await asyncio.sleep(10)
        assert seen == [0, 1, 2, 3]
        assert not task.done()

    loop.run_until_complete(work())
    loop.bury([process])


def test_a_process_is_killed_at_any_callback(loop):
    seen, process = [], Process("p", lambda: loop.kill(process))

    async def inside():
        for i in range(10):
            seen.append(i)
            await asyncio.sleep(0)

    async def work():
        process.fuse = 4
        loop.create_task(inside(), context=process.context)
        await asyncio.sleep(1)
        assert seen == [0, 1, 2, 3]
        assert len(process.left()) == 1

    loop.run_until_complete(work())
    loop.bury([process])
