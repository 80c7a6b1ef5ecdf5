"""What all benchmarks share: clocks, repetition, one form of result, one table."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "programs"
CACHE = ROOT / ".cache"


class Line(Struct):
    """One line of the table. Rates are "higher is better", times and sizes "lower is better".

    Attributes:
        what: What was measured.

        unit: Of `best`, `median` and `cpu`.

        best: Best of the repetitions, by wall time.

        median: Of the repetitions.

        cpu: The same quantity by CPU time in place of wall time (best of the repetitions); None where it makes no sense.

        raw: The limit of this machine, measured in the same run and the same unit; None where there is none.

        raw_what: What that limit is.

        goal: As a sentence for people.

        met: Whether `best` reaches the goal; None where no goal is set.

        cpu_met: Whether `cpu` does. It tells a slow program from a busy machine.

        note: Whatever else is worth knowing.
    """

    what: str
    unit: str
    best: float
    median: float
    cpu: float | None
    raw: float | None
    raw_what: str
    goal: str
    met: bool | None
    cpu_met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The measured value as a multiple of the raw limit."""
        return None if not self.raw else self.best / self.raw


class Timing(Struct):
    """Seconds by the wall clock and of CPU time, of this process and of the children that it has waited for."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def timed() -> Iterator[Timing]:
    """Measure a block."""
    timing, wall, cpu = Timing(), time.perf_counter(), _cpu_s()
    yield timing
    timing.wall_s, timing.cpu_s = time.perf_counter() - wall, _cpu_s() - cpu


def repeat(work: Callable[[int], object], times: int) -> list[Timing]:
    """Measure `work` some times; it is given the number of the repetition."""
    timings = []
    for i in range(times):
        with timed() as timing:
            work(i)
        timings.append(timing)
    return timings


async def repeat_async(work: Callable[[int], Awaitable[object]], times: int) -> list[Timing]:
    """As `repeat`, inside a running loop."""
    timings = []
    for i in range(times):
        with timed() as timing:
            await work(i)
        timings.append(timing)
    return timings


def rate(
    what: str, count: int, timings: list[Timing], *, raw: list[Timing], raw_what: str, raw_count: int | None = None,
    goal: float | None, unit: str = "/s", cpu: bool = True,
) -> Line:  # fmt: skip
    """A line for a number of things a second, of which at least `goal` are wanted."""
    by_wall = [count / t.wall_s for t in timings]
    by_cpu = max(count / t.cpu_s for t in timings) if cpu else None
    best = max(by_wall)
    return Line(
        what, unit, best, statistics.median(by_wall), by_cpu, max((raw_count or count) / t.wall_s for t in raw), raw_what,
        "-" if goal is None else f">= {goal:,.0f}{unit}", None if goal is None else best >= goal,
        None if goal is None or by_cpu is None else by_cpu >= goal,
    )  # fmt: skip


def duration(
    what: str, timings: list[Timing], *, raw: list[Timing] | None, raw_what: str = "-", goal_s: float | None = None,
    times_raw_max: float | None = None, unit: str = "ms", per: int = 1, cpu: bool = True,
) -> Line:  # fmt: skip
    """A line for a time, of which at most `goal_s`, or a multiple of the raw limit, is wanted. `per` divides all times."""
    scale = {"ms": 1e3, "s": 1.0}[unit] / per
    walls = [t.wall_s * scale for t in timings]
    best, by_cpu = min(walls), min(t.cpu_s for t in timings) * scale if cpu else None
    limit = min(t.wall_s for t in raw) * scale if raw else None
    top, goal = None, "-"
    if goal_s is not None:
        top = goal_s * scale * per
        goal = f"<= {top:g} {unit}"
    elif times_raw_max is not None and limit is not None:
        top, goal = times_raw_max * limit, f"<= {times_raw_max:g} x raw"
    met = None if top is None else best <= top
    cpu_met = None if top is None or by_cpu is None else by_cpu <= top
    return Line(what, unit, best, statistics.median(walls), by_cpu, limit, raw_what, goal, met, cpu_met)


def one_core() -> None:
    """Stay on one core from here on, with everything that is started: what is measured is then "per core"."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Family:
    """All that this process starts from now on, also what detaches itself: known by a variable of the environment."""

    def __init__(self) -> None:
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        os.environ["WINGBEAT_BENCHMARK"] = self._mark

    def pids(self) -> list[int]:
        """Those that are there now."""
        wanted = f"WINGBEAT_BENCHMARK={self._mark}".encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdecimal():
                try:
                    environment = Path("/proc", name, "environ").read_bytes()
                except OSError:
                    continue  # it has ended, or is not ours
                if wanted in environment.split(b"\0"):
                    found.append(int(name))
        return found

    def cpu_s(self) -> float:
        """CPU seconds of this process and all of them, and of the children that they have waited for."""
        total = 0
        for pid in (os.getpid(), *self.pids()):
            try:
                fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += sum(int(field) for field in fields[11:15])
        return total / os.sysconf("SC_CLK_TCK")

    def pss_bytes(self) -> int:
        """Memory of all of them; a page that several share counts once."""
        total = 0
        for pid in self.pids():
            try:
                lines = Path("/proc", str(pid), "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total * 1024


@contextmanager
def folder() -> Iterator[Path]:
    """A fresh folder on the disk of the repository: what counts is a real disk, not memory."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE, ignore_cleanup_errors=True) as made:
        yield Path(made)


def shell_environment(home: Path) -> dict[str, str]:
    """Variables for a command that works in `home`. It keeps compiled modules, as it does where it is installed."""
    variables = {**os.environ, "WINGBEAT_HOME": str(home)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def report(lines: list[Line]) -> None:
    """What the program of a benchmark prints: JSON for the runner (``--json``), else the table."""
    if "--json" in sys.argv:
        sys.stdout.write(msgspec.json.encode(lines).decode() + "\n")
    else:
        print(table(lines))


def table(lines: list[Line]) -> str:
    """The lines as text."""
    head = ("what", "best", "median", "by CPU time", "raw", "x raw", "goal", "met")
    rows = [head, *(_row(line) for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    limits = [f"  {line.what}: raw is {line.raw_what}{f'; {line.note}' if line.note else ''}" for line in lines]
    return "\n".join([*text, "", *limits])


def _row(line: Line) -> tuple[str, ...]:
    met = "-" if line.met is None else "yes" if line.met else "by CPU time" if line.cpu_met else "no"
    return (
        line.what, f"{_number(line.best)} {line.unit}", _number(line.median), _number(line.cpu), _number(line.raw),
        "-" if line.ratio is None else f"{line.ratio:.2f}", line.goal, met,
    )  # fmt: skip


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _cpu_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
