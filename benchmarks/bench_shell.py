"""What a person waits for at the shell: the help, and a run of three tasks."""

import subprocess
import sys
from pathlib import Path

from benchmarks.harness import PROGRAMS, ROOT, Line, Timing, duration, folder, report, shell_environment, timed

TIMES = 10
GOAL_RUN_S = 0.4
GOAL_HELP = 6


def call(command: list[str], home: Path) -> Timing:
    """One call, measured; its output is thrown away."""
    environment = shell_environment(home)
    with timed() as timing:
        subprocess.run(
            command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
    return timing


def in_turn(commands: list[list[str]], home: Path, times: int) -> list[list[Timing]]:
    """Each command in turn, so that a busy machine is busy for all of them; the first turn warms up."""
    turns = [[call(command, home) for command in commands] for _ in range(times + 1)]
    return [list(timings) for timings in zip(*turns[1:], strict=True)]


def measure() -> list[Line]:
    """CPU time is that of the command; what a warm parent works is not in it."""
    wingbeat = str(Path(sys.executable).with_name("wingbeat"))
    with folder() as home:
        empty, help_ = in_turn([[sys.executable, "-c", "pass"], [wingbeat, "--help"]], home, TIMES)
        run = [wingbeat, "run", str(PROGRAMS / "hello.py"), "hello", "--n", "3", "-o", "json"]
        bare = [sys.executable, "-m", "benchmarks.floor", str(home / "floor.db")]
        limit, three = in_turn([bare, run], home, TIMES)
    return [
        duration(
            "wingbeat --help", help_, raw=empty, raw_what="an empty program: python -c pass", times_raw_max=GOAL_HELP
        ),
        duration(
            "three tasks from the shell, warm", three, raw=limit, goal_s=GOAL_RUN_S,
            raw_what="floor: a Python that journals three steps, each in a forked process",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    report(measure())
