"""Maps, bodies, and what waits: items a second, a step of a body, a restart with 100,000 nodes, 10,000 executions at gates."""

import asyncio
import subprocess
import sys
from itertools import count
from pathlib import Path

from benchmarks.floor import Floor, fork_and_wait
from benchmarks.harness import (
    PROGRAMS,
    Family,
    Line,
    Timing,
    duration,
    folder,
    one_core,
    rate,
    repeat_async,
    report,
    timed,
)

from wingbeat import Kernel

ITEMS, FLOOR_ITEMS = 100_000, 10_000
ITEMS_GOAL = 1_000_000 / 60
STEPS = 50
NODES, RESTART_GOAL_S = 100_000, 2.0
GATES, GATES_GOAL_MB = 10_000, 300
TIMES = 3


async def floor(home: Path, steps: int, action: object, *, together: bool) -> list[Timing]:
    """The same steps on the floor, at once or one after the other."""
    limit = Floor(str(home / f"floor-{steps}.db"))

    async def once(i: int) -> None:
        if together:
            await asyncio.gather(*(limit.step(f"m{i}", step, action) for step in range(steps)))  # type: ignore[arg-type]
        else:
            for step in range(steps):
                await limit.step(f"m{i}", step, action)  # type: ignore[arg-type]

    timings = await repeat_async(once, TIMES)
    limit.close()
    return timings


async def items(home: Path) -> Line:
    """A map of no-op items in the program itself."""
    from benchmarks.programs import noop

    limit, numbers = await floor(home, FLOOR_ITEMS, int, together=True), count()
    async with Kernel(home / "items", inline=[noop.inc], discover=False) as kernel:

        async def once(_: int) -> None:
            first = next(numbers)
            execution = await kernel.launch(noop.mapped, {"values": list(range(first, first + ITEMS))})
            assert len(await execution.result()) == ITEMS

        timings = await repeat_async(once, TIMES)
    what = f"floor: asyncio and sqlite3, one row an item, group commit, {FLOOR_ITEMS:,} at once"
    return rate(
        f"map of {ITEMS:,}: items", ITEMS, timings, raw=limit, raw_what=what, raw_count=FLOOR_ITEMS, goal=ITEMS_GOAL
    )


async def body(home: Path) -> Line:
    """A body that awaits one step after the other: a turn and a step, each in a process of its own."""
    from wingbeat.kernel import compile_file

    limit, numbers = await floor(home, 2 * STEPS, fork_and_wait, together=False), count()
    program = compile_file(str(PROGRAMS / "noop.py"), "loop_50", home / "body")
    async with Kernel(home / "body", discover=False) as kernel:

        async def once(_: int) -> None:
            n = next(numbers)
            assert await (await kernel.launch(program, {"n": n})).result() == n + STEPS

        await once(0)
        timings = await repeat_async(once, TIMES)
    what = "floor: asyncio and sqlite3, two steps, each forked from the loop's own process"
    return duration("dynamic workflow: a turn and a step", timings, raw=limit, raw_what=what, per=STEPS, cpu=False)


async def restart(home: Path) -> Line:
    """From opening a kernel to its knowing an execution of which everything is done but a gate."""
    from benchmarks.programs import noop

    async with Kernel(home / "restart", inline=[noop.inc, noop.total], discover=False) as kernel:
        execution = await kernel.launch(noop.wide_then_gate, {"n": 1}, "mine")
        while not (await execution.describe()).nodes[-1].gate:
            await asyncio.sleep(0.5)
    timings = []
    for _ in range(TIMES):
        with timed() as timing:
            kernel = Kernel(home / "restart", inline=[noop.inc, noop.total], discover=False)
            await kernel.__aenter__()
            await kernel.get("mine")
        timings.append(timing)
        await kernel.__aexit__(None, None, None)
    name = f"restart with {NODES:,} nodes in one execution"
    return duration(name, timings, raw=None, goal_s=RESTART_GOAL_S, unit="s")


def gates(home: Path) -> Line:
    """Memory of a kernel whose executions all wait."""
    family = Family()
    command = [sys.executable, "-m", "benchmarks.bench_kinds", "gates", str(home / "gates")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "waiting":
            raise SystemExit("the kernel with the gates has not started")
        peak = family.pss_bytes() / 1e6
    return Line(
        f"{GATES:,} executions at gates: memory", "MB", peak, peak, None, None, "-", f"<= {GATES_GOAL_MB} MB",
        peak <= GATES_GOAL_MB, note="PSS, all launched",
    )  # fmt: skip


async def hold_gates(home: Path) -> None:
    """The part that is measured, in a process of its own, until it is told to end."""
    from benchmarks.programs import noop

    async with Kernel(home, inline=[noop.inc], discover=False) as kernel:
        await asyncio.gather(*(kernel.launch(noop.gate, {"n": n}) for n in range(GATES)))
        await asyncio.sleep(2)
        print("waiting", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def measure(home: Path) -> list[Line]:
    """Items on one core; the rest on all."""
    return [await items(home), await body(home), await restart(home)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["gates", home_folder]:
            asyncio.run(hold_gates(Path(home_folder)))
        case _:
            one_core()
            with folder() as made:
                report([*asyncio.run(measure(made)), gates(made)])
