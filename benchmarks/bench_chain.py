"""A chain of 1,000 durable steps with the inline executor: each waits for the commit of the one before."""

import asyncio
from pathlib import Path

from benchmarks.floor import single_commits
from benchmarks.harness import Line, Timing, duration, folder, repeat, repeat_async, report

from wingbeat import Kernel

STEPS = 1_000
TIMES = 4


async def chain(home: Path, synchronous: str) -> list[Timing]:
    """Launch to result, compiled before."""
    from benchmarks.programs import noop

    settings = {"journal": {"synchronous": synchronous}}
    async with Kernel(home / synchronous, inline=[noop.inc], discover=False, settings=settings) as kernel:

        async def once(i: int) -> None:
            assert await (await kernel.launch(noop.chain, {"n": i})).result() == i + STEPS

        await once(-1)
        return await repeat_async(once, TIMES)


async def measure() -> list[Line]:
    """With FULL, in turn with the raw commits, since the speed of a disk varies; and with NORMAL."""
    with folder() as home:
        path = str(home / "raw.db")
        raw_full = repeat(lambda _: single_commits(path, "FULL", STEPS), TIMES)
        full = await chain(home, "FULL")
        raw_full += repeat(lambda _: single_commits(path, "FULL", STEPS), TIMES)
        raw_normal = repeat(lambda _: single_commits(path, "NORMAL", STEPS), TIMES)
        normal = await chain(home, "NORMAL")
    return [
        duration(
            f"chain of {STEPS:,}, FULL: a step", full, raw=raw_full, per=STEPS, times_raw_max=2,
            raw_what="this disk: one row, one commit, one after the other, synchronous=FULL",
        ),
        duration(
            f"chain of {STEPS:,}, NORMAL: a step", normal, raw=raw_normal, per=STEPS, goal_s=0.0003,
            raw_what="the same with synchronous=NORMAL",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    report(asyncio.run(measure()))
