"""A folder with workflows, a home, and the command `wingbeat` in it, also through a server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOW = '''
import os, time
from pathlib import Path
from wingbeat import File, LaunchPlan, OnSuccess, approve, task, wait_for_input, workflow

ROOT = Path(os.environ["TEST_ROOT"])

@task
def survey(city: str, streets: int) -> list[str]:
    print("surveying", city)
    return [f"{city} {n}" for n in range(streets)]

@workflow
def build(city: str, streets: int = 3) -> list[str]:
    """The streets of a city."""
    return survey(city, streets)

@task
def count(roads: list[str]) -> int:
    return len(roads)

@workflow
def train(roads: list[str]) -> int:
    return count(roads)

@task(cache=True)
def wait(x: int) -> int:
    (ROOT / "begun").touch()
    while not (ROOT / "go").exists():
        time.sleep(0.01)
    return x

@task
def divide(x: int) -> float:
    return 1 / x

@workflow
def waiting(x: int) -> int:
    return wait(x)

@workflow
def dividing(x: int) -> float:
    return divide(x)

@task
def blow(n: int) -> str:
    return "x" * n

@task
def write(text: str) -> File:
    Path("out.txt").write_text(text)
    return File("out.txt")

@workflow
def both(text: str) -> tuple[str, File]:
    return blow(2_000_000), write(text)

@workflow
def gated() -> float:
    return divide(approve("good", wait_for_input("number", int)))

short = LaunchPlan(build, name="short", inputs={"city": "sf"}, fixed={"streets": 1}, doc="One street.")
trained = LaunchPlan(train, name="trained", trigger=OnSuccess("maps/production/flow.build", inputs={"roads": "o0"}))
'''
MISTAKEN = """
mistaken = LaunchPlan(train, name="mistaken", trigger=OnSuccess("maps/production/flow.build", inputs={"roads": "o7"}))
"""
BUILD = "maps/production/flow.build"


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Shell:
    """A folder with workflows, and a home of its own."""

    def __init__(self, root: Path, endpoint: str = "") -> None:
        self.root = root
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        self.environment = {**without, "WINGBEAT_HOME": str(root / "home"), "TEST_ROOT": str(root)}
        if endpoint:
            self.environment["WINGBEAT_ENDPOINT"] = endpoint
        self.command = str(Path(sys.executable).with_name("wingbeat"))
        (root / "wingbeat.toml").touch()
        (root / "flow.py").write_text(FLOW)

    def __call__(self, *line: str, **environment: str) -> Done:
        done = subprocess.run(
            [self.command, *line], capture_output=True, text=True, cwd=self.root, timeout=50, check=False,
            env={**self.environment, **environment},
        )  # fmt: skip
        assert "fault of Wingbeat" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *line: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([self.command, *line], cwd=self.root, env=self.environment, text=True, **more)

    def register(self, version: str = "v1") -> Done:
        return self("register", "flow.py", "-p", "maps", "-d", "production", "--version", version)

    def change(self) -> None:
        """Let `survey` be another one."""
        (self.root / "flow.py").write_text(FLOW.replace("range(streets)", "range(1, streets + 1)"))

    def until(self, name: str) -> None:
        end = time.monotonic() + 30
        while not (self.root / name).exists():
            assert time.monotonic() < end, f"there is no {name}"
            time.sleep(0.01)

    @contextmanager
    def serving(self, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        """A server of the home, by its URL, and its process."""
        server = self.start("serve", "--port", "0", *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert server.stdout is not None
            ready, _, url = server.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            yield url, server
        finally:
            server.kill()
            server.communicate()
