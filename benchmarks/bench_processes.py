"""Attempts a second, each in a fresh process of its own, on one core, with an empty user module."""

import asyncio
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import PROGRAMS, Family, Line, Timing, folder, one_core, rate, report, timed

from wingbeat import Kernel
from wingbeat.kernel import compile_file
from wingbeat.spec.entities import Closure

ATTEMPTS = 200
FORKS = 1_000
GOAL = 300
TIMES = 5

BARE = f"""
import os, time
start = time.perf_counter()
for _ in range({FORKS}):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
print(time.perf_counter() - start)
"""


def raw() -> list[Timing]:
    """Fork and wait, from a Python that has imported nothing."""
    times = []
    for _ in range(TIMES):
        done = subprocess.run([sys.executable, "-I", "-S", "-c", BARE], capture_output=True, check=True, text=True)
        times.append(Timing(float(done.stdout), 0.0))
    return times


async def attempts(home: Path, closure: Closure) -> list[Timing]:
    """A fan-out over processes, launch to result, with a warm parent. CPU time is that of kernel, parent and attempts."""
    family, timings = Family(), []
    async with Kernel(home, discover=False) as kernel:
        for i in range(TIMES + 1):
            with timed() as timing:
                cpu_s = family.cpu_s()
                execution = await kernel.launch(closure, {"n": i})
                assert await execution.result() == ATTEMPTS * (i + 1)
            timing.cpu_s = family.cpu_s() - cpu_s
            timings.append(timing)
    return timings[1:]  # the first one waited for the parent to start


def measure() -> list[Line]:
    """The one core is shared by kernel, parent and attempts."""
    limit = raw()
    with folder() as home:
        closure = compile_file(str(PROGRAMS / "noop.py"), "wide_200", home)
        timings = asyncio.run(attempts(home, closure))
    what = "fork and wait, one after the other, from a Python that has imported nothing"
    return [rate("fresh-process attempts", ATTEMPTS + 1, timings, raw=limit, raw_what=what, raw_count=FORKS, goal=GOAL)]


if __name__ == "__main__":
    one_core()
    report(measure())
