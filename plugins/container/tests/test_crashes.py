"""The kernel is killed at every step of a container's life, and opened again: each attempt runs once, and the work is done."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import wingbeat_container

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

SOURCES = Path(wingbeat_container.__file__).parent
POINTS = sorted({name for path in SOURCES.glob("*.py") for name in re.findall(r'\bhit\("([^"]+)"\)', path.read_text())})
ELSEWHERE = {"container.pulling", "container.cancel"}
"""Not passed by a workflow that runs to its end with an image that is there."""

FLOW = '''
from wingbeat import task, workflow
from wingbeat_container import Container

RUN = """
echo "$WINGBEAT_EXECUTION/$WINGBEAT_NODE/$WINGBEAT_ATTEMPT" >> /place/marks
if test {{inputs.gated}} = true; then while ! test -e /place/gate; do sleep 0.05; done; fi
echo $(({{inputs.n}} * 2)) > {{outputs.o0}}
"""


@task(task_config=Container("localhost/wingbeat-shell:1", ["sh", "-c", RUN], pull="never"), secrets=["key"])
def double(n: int, gated: bool) -> int: ...


@workflow
def flow(n: int, gated: bool = False) -> int:
    return double(double(n, False), gated)
'''
PROGRAM = """
import asyncio, sys
import flow
from wingbeat import Kernel

async def main():
    async with Kernel("home") as kernel:
        execution = await kernel.launch(flow.flow, {"n": 3, "gated": sys.argv[1] != "plain"}, name="run")
        print("open", flush=True)
        if sys.argv[1] == "abort":
            await execution.abort("enough")
        print(await execution.wait(), flush=True)
        print(await execution.result(), flush=True)

asyncio.run(main())
"""


class Place:
    """A project whose program is started, killed and started again."""

    def __init__(self, podman, folder: Path) -> None:
        self.podman, self.folder = podman, folder
        (folder / "flow.py").write_text(FLOW)
        (folder / "program.py").write_text(PROGRAM)
        (folder / "wingbeat.toml").write_text(
            f'[container]\nsocket = "{podman.socket}"\nmounts = ["{folder}:/place:rw"]\n'
        )
        (folder / "points").mkdir()

    def begin(self, how: str = "plain", point: str = "") -> subprocess.Popen:
        armed = {"WINGBEAT_FAILPOINT": f"{point}:kill:1:{self.folder / 'points'}"} if point else {}
        environment = {**os.environ, **armed, "WINGBEAT_SECRET_KEY": "what only the container knows"}
        environment.pop("WINGBEAT_HOME", None)
        with (self.folder / "out").open("w") as out:
            return subprocess.Popen(
                [sys.executable, "program.py", how], cwd=self.folder, env=environment, stdout=out, stderr=out
            )

    def run(self, how: str = "plain", point: str = "") -> int:
        return self.begin(how, point).wait(100)

    @property
    def said(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def marks(self) -> Counter[str]:
        path = self.folder / "marks"
        return Counter(path.read_text().split() if path.exists() else ())

    def until(self, true) -> None:
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, self.said
            time.sleep(0.02)


@pytest.fixture
def place(podman, tmp_path):
    made = Place(podman, tmp_path)
    yield made
    for container in podman.containers("--all"):
        podman.run("rm", "--force", "--time", "0", container)


def test_every_failpoint_is_walked():
    assert len(POINTS) >= 10
    assert set(POINTS) >= ELSEWHERE


@pytest.mark.parametrize("point", [name for name in POINTS if name not in ELSEWHERE])
def test_killed_there_it_goes_on_and_runs_once(place, point):
    assert place.run(point=point) == -9, place.said
    assert place.run() == 0, place.said
    assert place.said.splitlines()[-1] == "12"
    assert set(place.marks.values()) == {1}, place.marks
    lost = 1 if point == "container.claimed" else 0  # whether it had begun cannot be told then
    assert 2 <= len(place.marks) <= 2 + lost
    place.until(lambda: not place.podman.containers("--all") or place.run() == 0)


def test_killed_while_the_container_runs_it_is_adopted(place):
    kernel = place.begin("gated")
    place.until(lambda: len(place.marks) == 2)
    kernel.kill()
    kernel.wait()
    assert len(place.podman.containers()) == 1
    kernel = place.begin("gated")
    place.until(lambda: "open" in place.said)
    (place.folder / "gate").touch()
    assert kernel.wait(100) == 0, place.said
    assert place.said.splitlines()[-1] == "12"
    assert set(place.marks.values()) == {1}
    assert len(place.marks) == 2


def test_what_ended_while_no_kernel_was_there_is_taken(place):
    kernel = place.begin("gated")
    place.until(lambda: len(place.marks) == 2)
    kernel.kill()
    kernel.wait()
    (place.folder / "gate").touch()
    place.until(lambda: not place.podman.containers())
    assert place.run("gated") == 0, place.said
    assert place.said.splitlines()[-1] == "12"
    assert sorted(place.marks.values()) == [1, 1]


def test_a_container_that_was_killed_is_retried_without_a_retry_of_the_users(place):
    kernel = place.begin("gated")
    place.until(lambda: len(place.marks) == 2)
    place.podman.run("kill", *place.podman.containers())
    place.until(lambda: len(place.marks) == 3)
    (place.folder / "gate").touch()
    assert kernel.wait(100) == 0, place.said
    assert place.said.splitlines()[-1] == "12"
    assert set(place.marks.values()) == {1}


def test_killed_while_it_is_cancelled_it_is_gone_in_the_end(place):
    kernel = place.begin("gated")
    place.until(lambda: len(place.marks) == 2)
    kernel.kill()
    kernel.wait()
    assert place.run("abort", "container.cancel") == -9, place.said
    place.run("abort")
    assert "ABORTED" in place.said or "enough" in place.said, place.said
    assert not place.podman.containers()
    assert sorted(place.marks.values()) == [1, 1]
