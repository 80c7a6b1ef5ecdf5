"""Durable no-op nodes a second on a fan-out of 10,000, on one core, with the inline executor."""

import asyncio
from itertools import count
from pathlib import Path

from benchmarks.floor import Floor
from benchmarks.harness import Line, Timing, duration, folder, one_core, rate, repeat_async, report

from wingbeat import Kernel

NODES = 10_000
GOAL = 20_000
TIMES = 5


async def raw(home: Path) -> list[Timing]:
    """The same steps on the floor."""
    floor = Floor(str(home / "floor.db"))

    async def once(i: int) -> None:
        values = await asyncio.gather(*(floor.step(f"w{i}", step, lambda x: x + 1, step) for step in range(NODES)))
        await floor.step(f"w{i}", NODES, sum, values)

    timings = await repeat_async(once, TIMES)
    floor.close()
    return timings


async def measure() -> list[Line]:
    """Launch to result. The first launch also compiles the workflow, which has a line of its own."""
    from benchmarks.programs import noop

    numbers = count()
    with folder() as home:
        limit = await raw(home)
        async with Kernel(home / "home", inline=[noop.inc, noop.total], discover=False) as kernel:

            async def once(_: int) -> None:
                n = next(numbers)
                execution = await kernel.launch(noop.wide, {"n": n})
                assert await execution.result() == NODES * (n + 1)

            first = await repeat_async(once, 1)
            timings = await repeat_async(once, TIMES)
    what = f"floor: asyncio and sqlite3, one row a node, group commit, {NODES:,} at once"
    return [
        rate(f"fan-out of {NODES:,}: nodes", NODES + 1, timings, raw=limit, raw_what=what, goal=GOAL),
        duration(f"fan-out of {NODES:,}: first run, with its compile", first, raw=limit, raw_what=what),
    ]


if __name__ == "__main__":
    one_core()
    report(asyncio.run(measure()))
