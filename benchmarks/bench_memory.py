"""Memory of kernel, warm parent and attempts while a fan-out of 1,000 processes runs: the highest sum of their PSS."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.floor import Floor, fork_and_wait
from benchmarks.harness import PROGRAMS, Family, Line, folder, report

ATTEMPTS = 1_000
GOAL_MB = 60
SAMPLE_S = 0.05


async def kernel(home: Path, closure: Path) -> None:
    """The part that is measured, in a process of its own: what a service that embeds the kernel holds."""
    import msgspec

    from wingbeat import Kernel
    from wingbeat.spec.entities import Closure

    async with Kernel(home, discover=False) as engine:
        execution = await engine.launch(msgspec.json.decode(closure.read_bytes(), type=Closure), {"n": 1})
        assert await execution.result() == ATTEMPTS * 2


async def floor(home: Path) -> None:
    """The same steps on the floor, each in a forked process."""
    steps = Floor(str(home / "floor.db"))
    await asyncio.gather(*(steps.step("w", step, fork_and_wait) for step in range(ATTEMPTS)))
    steps.close()


def peak_mb(*arguments: str) -> tuple[float, int]:
    """The highest sum of PSS while this program runs with `arguments`, and of how many samples."""
    family = Family()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bench_memory", *arguments])
    samples = []
    while process.poll() is None:
        samples.append(family.pss_bytes() / 1e6)
        time.sleep(SAMPLE_S)
    if process.returncode:
        raise SystemExit(process.returncode)
    return max(samples), len(samples)


def measure() -> list[Line]:
    """One run: a peak has no best."""
    import msgspec

    from wingbeat.kernel import compile_file

    with folder() as home:
        limit, _ = peak_mb("floor", str(home))
        closure = home / "closure.json"
        closure.write_bytes(msgspec.json.encode(compile_file(str(PROGRAMS / "noop.py"), "wide_1000", home / "home")))
        peak, count = peak_mb("kernel", str(home / "home"), str(closure))
    return [
        Line(
            f"fan-out of {ATTEMPTS:,} processes: peak memory", "MB", peak, peak, None, limit,
            "floor: asyncio and sqlite3, each step forked from the loop's own process", f"<= {GOAL_MB} MB",
            peak <= GOAL_MB, note=f"PSS, {count} samples",
        )
    ]  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["kernel", home_folder, closure_file]:
            asyncio.run(kernel(Path(home_folder), Path(closure_file)))
        case ["floor", home_folder]:
            asyncio.run(floor(Path(home_folder)))
        case _:
            report(measure())
