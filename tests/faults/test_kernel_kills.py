"""Kill -9 at every failpoint, and at random moments: nothing is lost, and no step runs twice.

Steps append a mark to a file when they run. A program launches some named executions and waits for all of them; it is
killed and started again until it ends. ``KILLS=100 SEED=3 pytest …`` makes more random kills.
"""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from wingbeat.engine.failpoints import NAMES

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

KILLS = int(os.environ.get("KILLS", "8"))
SEED = int(os.environ.get("SEED", "1"))
EXECUTIONS = 4
STARTS_MAX = 12

STEPS = """
    import os, time
    from wingbeat import task, workflow

    def mark(folder: str, what: str) -> None:
        fd = os.open(os.path.join(folder, "marks"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{what}\\n".encode())
        os.close(fd)

    @task
    def first(folder: str, tag: str) -> int:
        mark(folder, f"{tag}/first")
        return 1

    @task(cache=True)
    def left(folder: str, tag: str, n: int) -> int:
        mark(folder, f"{tag}/left")
        return n + 1

    @task
    def right(folder: str, tag: str, n: int) -> int:
        time.sleep(0.05)
        mark(folder, f"{tag}/right")
        return n + 2

    @task
    def last(folder: str, tag: str, a: int, b: int) -> int:
        mark(folder, f"{tag}/last")
        return a + b

    @workflow
    def diamond(folder: str, tag: str) -> int:
        n = first(folder, tag)
        return last(folder, tag, left(folder, tag, n), right(folder, tag, n))

    @task
    def endless(folder: str, tag: str) -> int:
        mark(folder, f"{tag}/endless")
        time.sleep(600)
        return 0
"""

PROGRAM = """
    import asyncio, sys
    import wingbeat.engine.live
    from wingbeat import Kernel
    from steps import diamond, endless

    wingbeat.engine.live.SNAPSHOT_FACTS_MIN = 5

    async def main(folder, count):
        async with Kernel(folder + "/home") as kernel:
            victim = await kernel.launch(endless, {"folder": folder, "tag": "victim"}, name="victim")
            launched = [
                await kernel.launch(diamond, {"folder": folder, "tag": f"e{i}"}, name=f"e{i}") for i in range(count)
            ]
            print("launched", flush=True)
            assert [await e.result() for e in launched] == [5] * count
            for _ in range(2000):
                view = await victim.describe()
                if view.phase.terminal or view.nodes[0].phase == "RUNNING":
                    break
                await asyncio.sleep(0.01)
            await victim.abort("enough")
            assert (await victim.describe()).phase == "ABORTED"
            again = await kernel.launch(diamond, {"folder": folder, "tag": "e0"}, name="again")
            assert await again.result() == 5
        print("done", flush=True)

    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


class Place:
    """A project with its home; `start` runs the program once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "steps.py").write_text(textwrap.dedent(STEPS))
        (folder / "program.py").write_text(textwrap.dedent(PROGRAM))
        (folder / "pyproject.toml").write_text("")
        self.starts = 0

    def begin(self, failpoint: str = "") -> subprocess.Popen[str]:
        self.starts += 1
        variables = {**os.environ, "WINGBEAT_FAILPOINT": failpoint}
        variables.pop("WINGBEAT_HOME", None)
        command = [sys.executable, "program.py", str(self.folder), str(EXECUTIONS)]
        out = (self.folder / f"log{self.starts}").open("w")
        with out:
            return subprocess.Popen(command, cwd=self.folder, env=variables, stdout=out, stderr=out, text=True)

    def start(self, failpoint: str = "") -> int:
        return self.begin(failpoint).wait(100)

    def log(self) -> str:
        return (self.folder / f"log{self.starts}").read_text()

    def finish(self) -> None:
        """Start it until it ends, and look at what was done."""
        for _ in range(STARTS_MAX):
            code = self.start()
            if code == 0:
                break
        assert code == 0, self.log()
        marks = Counter((self.folder / "marks").read_text().split())
        steps = {f"e{i}/{step}" for i in range(EXECUTIONS) for step in ("first", "left", "right", "last")}
        twice_allowed = Counter(
            {"e0/first": 1, "e0/right": 1, "e0/last": 1}
        )  # `again` has these inputs; `left` is a hit
        expected = Counter(dict.fromkeys(steps, 1)) + twice_allowed
        assert marks - Counter({"victim/endless": 1}) == expected, "lost or done twice"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="module")
def undisturbed_s(tmp_path_factory):
    """How long the program takes, so that kills at random moments hit it wherever it is fast or slow."""
    taken = []
    for _ in range(2):  # the first one may have to compile modules
        began = time.monotonic()
        Place(tmp_path_factory.mktemp("undisturbed")).finish()
        taken.append(time.monotonic() - began)
    return min(taken)


def test_undisturbed_every_step_runs_once(place):
    place.finish()
    assert place.starts == 1


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_a_failpoint_everything_is_done_once(place, name):
    if name.startswith("recover"):
        assert place.start("perform.after-effects:4") == -signal.SIGKILL, place.log()
    later = 1 if name.startswith(("launch", "recover", "cancel", "publish", "lookup")) else 3
    assert place.start(f"{name}:{later}") == -signal.SIGKILL, f"{name} was never passed: {place.log()}"
    place.finish()


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_random_moments_everything_is_done_once(place, number, undisturbed_s):
    dice = random.Random(f"{SEED}/{number}")
    killed = 0
    for _ in range(3):
        process = place.begin()
        deadline = time.monotonic() + undisturbed_s * dice.uniform(0.3, 0.9)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
    place.finish()
    assert killed, f"the program was always faster: SEED={SEED}, kill {number}"
