"""15 cached steps of which the last was changed: in a process that embeds the kernel, and from the shell."""

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.floor import single_commits
from benchmarks.harness import Line, Timing, duration, folder, repeat, report, shell_environment, timed

from wingbeat import Kernel, workflow

STEPS = 15
TIMES = 8
GOAL_S = 0.010
GOAL_SHELL_S = 0.4

HEAD = "from wingbeat import task, workflow\n\nFACTOR = {version}\n"
STEP = "\n\n@task(cache=True)\ndef step{i}(x: int) -> int:\n    return {body}\n"
FLOW = "\n\n@workflow\ndef flow(n: int) -> int:\n    return {calls}\n"


def write(path: Path, version: int) -> None:
    """The program, with a last step that no version before had."""
    bodies = [*(f"x + {i}" for i in range(STEPS - 1)), "x * FACTOR"]
    calls = "n"
    for i in range(STEPS):
        calls = f"step{i}({calls})"
    steps = [STEP.format(i=i, body=body) for i, body in enumerate(bodies)]
    path.write_text("".join([HEAD.format(version=version), *steps, FLOW.format(calls=calls)]))


def load(path: Path) -> ModuleType:
    """The program as a module, as it is now."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


async def inline(project: Path) -> list[Timing]:
    """Launch to result, where the tasks run in the program itself: compile, 14 hits, a miss, the step, its publication."""
    write(project / "cached.py", 0)
    module: Any = load(project / "cached.py")
    tasks = [getattr(module, f"step{i}") for i in range(STEPS)]
    timings = []
    async with Kernel(project / "inline", inline=tasks) as kernel:
        for version in range(TIMES + 1):
            module.FACTOR = version  # part of the code of the last step
            with timed() as timing:
                execution = await kernel.launch(workflow(module.flow.fn), {"n": 1})
                await execution.result()
            hits = [node.cache for node in (await execution.describe()).nodes].count("HIT")
            assert hits == (STEPS - 1 if version else 0), hits
            timings.append(timing)
    return timings[1:]


async def processes(project: Path) -> list[Timing]:
    """The same with tasks in processes and a changed file, without the time of the last step's attempt: here a changed
    program is also bundled."""
    timings = []
    async with Kernel(project / ".wingbeat") as kernel:
        for version in range(TIMES + 1):
            write(project / "cached.py", version)
            module = load(project / "cached.py")
            with timed() as timing:
                execution = await kernel.launch(module.flow, {"n": 1})
                await execution.result()
            nodes = (await execution.describe()).nodes
            hits = [node.cache for node in nodes].count("HIT")
            assert hits == (STEPS - 1 if version else 0), hits
            (attempt,) = nodes[-1].attempts
            assert attempt.ended_at is not None
            timing.wall_s -= attempt.ended_at - attempt.queued_at
            timings.append(timing)
    return timings[1:]


def shell(project: Path, *, changed: bool) -> list[Timing]:
    """The same with the command, the whole of it. After a change one process compiles the file and forks a warm
    parent for the new code."""
    command = [str(Path(sys.executable).with_name("wingbeat")), "run", "cached.py", "flow", "--n", "1", "-o", "json"]
    timings = []
    for version in range(100, 100 + TIMES + 1):
        if changed:
            write(project / "cached.py", version)
        with timed() as timing:
            subprocess.run(
                command, check=True, cwd=project, env=shell_environment(project / ".wingbeat"), capture_output=True
            )
        timings.append(timing)
    return timings[1:]


def raw() -> list[Timing]:
    """The least that a command of this kind does."""
    return repeat(lambda _: subprocess.run([sys.executable, "-c", "import asyncio, sqlite3"], check=True), TIMES)


def measure() -> list[Line]:
    """The raw limit in a process is one commit: what cannot be left out."""
    with folder() as project:
        (project / "wingbeat.toml").touch()
        inside, outside = asyncio.run(inline(project)), asyncio.run(processes(project))
        changed, same = shell(project, changed=True), shell(project, changed=False)
        path = str(project / "raw.db")
        hundred = repeat(lambda _: single_commits(path, "FULL", 100), TIMES)
    limit = [Timing(timing.wall_s / 100, timing.cpu_s / 100) for timing in hundred]
    what, bare = "one row, one commit, on this disk", "a Python that imports asyncio and sqlite3"
    limit_shell = raw()
    last = f"{STEPS} cached steps, the last changed"
    return [
        duration(f"{last}: in a process", inside, raw=limit, raw_what=what, goal_s=GOAL_S),
        duration(
            f"{last}: tasks in processes, beyond that step", outside, raw=limit, raw_what=what, goal_s=GOAL_S, cpu=False
        ),
        duration(f"{last}: from the shell", changed, raw=limit_shell, raw_what=bare, goal_s=GOAL_SHELL_S),
        duration(f"{STEPS} cached steps, none changed: from the shell", same, raw=limit_shell, raw_what=bare),
    ]


if __name__ == "__main__":
    report(measure())
