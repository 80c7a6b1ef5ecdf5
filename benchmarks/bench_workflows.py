"""1,000 three-step workflows at once in one kernel, on one core, with the inline executor."""

import asyncio
from pathlib import Path

from benchmarks.floor import Floor
from benchmarks.harness import Line, Timing, folder, one_core, rate, repeat_async, report

from wingbeat import Kernel

WORKFLOWS = 1_000
GOAL = 2_000
TIMES = 5


async def raw(home: Path) -> list[Timing]:
    """The same on the floor."""
    floor = Floor(str(home / "floor.db"))

    async def one(name: str) -> None:
        for step in range(3):
            await floor.step(name, step, lambda x: x + 1, step)

    async def once(i: int) -> None:
        await asyncio.gather(*(one(f"w{i}-{number}") for number in range(WORKFLOWS)))

    timings = await repeat_async(once, TIMES)
    floor.close()
    return timings


async def measure() -> list[Line]:
    """From the first launch to the last result; every launch is acknowledged when it is durable."""
    from benchmarks.programs import noop

    with folder() as home:
        limit = await raw(home)
        async with Kernel(home / "home", inline=[noop.inc], discover=False) as kernel:

            async def one(n: int) -> None:
                execution = await kernel.launch(noop.three, {"n": n})
                assert await execution.result() == n + 3

            async def once(_: int) -> None:
                await asyncio.gather(*(one(n) for n in range(WORKFLOWS)))

            await once(0)
            timings = await repeat_async(once, TIMES)
    what = f"floor: asyncio and sqlite3, one row a step, group commit, {WORKFLOWS:,} at once"
    return [
        rate(f"{WORKFLOWS:,} three-step workflows: workflows", WORKFLOWS, timings, raw=limit, raw_what=what, goal=GOAL)
    ]


if __name__ == "__main__":
    one_core()
    report(asyncio.run(measure()))
