"""15 cached steps of which the last was changed: in a process that embeds the kernel, and from the shell."""

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from benchmarks.floor import single_commits
from benchmarks.harness import Line, Timing, duration, folder, repeat, report, shell_environment, timed

from wingbeat import Kernel

STEPS = 15
TIMES = 8
GOAL_S = 0.010
GOAL_SHELL_S = 0.4

HEAD = "from wingbeat import task, workflow\n"
STEP = "\n\n@task(cache=True)\ndef step{i}(x: int) -> int:\n    return {body}\n"
FLOW = "\n\n@workflow\ndef flow(n: int) -> int:\n    return {calls}\n"


def write(path: Path, version: int) -> None:
    """The program, with a last step that no version before had."""
    bodies = [*(f"x + {i}" for i in range(STEPS - 1)), f"x * 1000 + {version}"]
    calls = "n"
    for i in range(STEPS):
        calls = f"step{i}({calls})"
    path.write_text(HEAD + "".join(STEP.format(i=i, body=b) for i, b in enumerate(bodies)) + FLOW.format(calls=calls))


def load(path: Path) -> ModuleType:
    """The program as a module, as it is now."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


async def embedded(project: Path) -> list[Timing]:
    """Launch to result, without the time of the last step's attempt: compile, bundle, 14 hits, a miss, a publication."""
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
    """The same with the command, the whole of it. After a change it compiles the file in a process of its own and starts
    a warm parent for the new code."""
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
    """The raw limit in a process is 15 rows looked up in SQLite, and one commit."""
    with folder() as project:
        (project / "wingbeat.toml").touch()
        inside = asyncio.run(embedded(project))
        changed, same = shell(project, changed=True), shell(project, changed=False)
        path = str(project / "raw.db")
        limit = repeat(lambda _: single_commits(path, "FULL", 1), TIMES)
    what, bare = "one row, one commit, on this disk", "a Python that imports asyncio and sqlite3"
    limit_shell = raw()
    last = f"{STEPS} cached steps, the last changed"
    return [
        duration(f"{last}: beyond that step", inside, raw=limit, raw_what=what, goal_s=GOAL_S),
        duration(f"{last}: from the shell", changed, raw=limit_shell, raw_what=bare, goal_s=GOAL_SHELL_S),
        duration(f"{STEPS} cached steps, none changed: from the shell", same, raw=limit_shell, raw_what=bare),
    ]


if __name__ == "__main__":
    report(measure())
