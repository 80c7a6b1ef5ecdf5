"""The bench of the fault tests: a project with its home, whose program is killed and started again until it ends.

``FAULTS_TIMES=10`` (`make faults`) makes ten times as many kills and cuts; ``FAULTS_SEED`` chooses the moments.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from wingbeat.runtime.files import ERROR, OUTPUTS, SUSPENDED

TIMES = int(os.environ.get("FAULTS_TIMES", "1"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
WORKLOAD = Path(__file__).with_name("workload")
STARTS_MAX = 12

DIAMOND = ("first", "left", "right", "last")
STEPS = {
    "diamond": DIAMOND,
    "mapped": ("words", "measure-a", "measure-b", "measure-c", "total"),
    "gated": ("first", "right"),
    "search": ("right", "left", "last", "last", "last"),
    "outer": (*DIAMOND, "again"),
    "odd": ("flaky", "apart", "last"),
    "paired": ("together",),
}
VICTIMS = ("victim", "victim-above")
AGAIN = ("first", "right", "last")
"""What the execution `again` does: `left` it finds in the catalog."""

NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""Of its own: when its first process ends, all of them do, and what was mounted is gone."""


class Place:
    """A project and its home below `folder`; the home may be elsewhere."""

    def __init__(self, folder: Path, home: Path | None = None, copies: int = 1) -> None:
        self.folder, self.home, self.copies = folder, home or folder / "home", copies
        self.points = folder / "points"
        self.points.mkdir(parents=True)
        shutil.copytree(WORKLOAD, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "pyproject.toml").write_text("")
        self.starts = 0

    def begin(self, failpoint: str = "", *, action: str = "kill", n: int = 1, **variables: str) -> subprocess.Popen:
        self.starts += 1
        armed = {"WINGBEAT_FAILPOINT": f"{failpoint}:{action}:{n}:{self.points}"} if failpoint else {}
        environment = {**os.environ, "COPIES": str(self.copies), **armed, **variables}
        environment.pop("WINGBEAT_HOME", None)
        environment["WINGBEAT_CACHE"] = str(self.folder / "cache")
        command = [sys.executable, "program.py", str(self.folder), str(self.home)]
        with (self.folder / f"log{self.starts}").open("w") as out:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=out, stderr=out)

    def start(self, failpoint: str = "", *, action: str = "kill", n: int = 1) -> int:
        return self.begin(failpoint, action=action, n=n).wait(60)

    def passed(self, failpoint: str) -> int:
        path = self.points / failpoint
        return path.stat().st_size if path.exists() else 0

    def log(self) -> str:
        return "".join(f"-- start {n}\n" + (self.folder / f"log{n}").read_text() for n in range(1, self.starts + 1))

    # -- its processes

    def attempts(self) -> dict[int, str]:
        """Processes of attempts, and what they are attempts of: ``execution/node.attempt``."""
        found = {}
        for claim in self.home.glob("attempts/*/*/claim"):
            try:
                found[json.loads(claim.read_bytes()).get("pid", 0)] = f"{claim.parts[-3]}/{claim.parts[-2]}"
            except (OSError, ValueError):
                continue
        ours = self._processes()
        return {pid: found[pid] for pid in ours if pid in found}

    def unfinished(self) -> set[str]:
        """Attempts that were begun and left no outcome; of a place where nothing works any more."""
        claims = self.home.glob("attempts/*/*/claim")
        return {
            f"{claim.parts[-3]}/{claim.parts[-2]}"
            for claim in claims
            if not any((claim.parent / name).exists() for name in (OUTPUTS, ERROR, SUSPENDED))
        }

    def parents(self) -> list[int]:
        """Processes of warm parents: those that have not entered an attempt's folder, and were not made by one of them. What one
        has just made looks like it, until it says that it is an attempt."""
        attempts = self.attempts()
        found = [pid for pid in self._processes() if pid not in attempts and _is_parent(pid)]
        made = {child for pid in found for child in self.children(pid)}
        return [pid for pid in found if pid not in made and _is_parent(pid)]

    def children(self, pid: int) -> list[int]:
        """Processes that it has forked, and that it has not reaped."""
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def _processes(self) -> list[int]:
        """Every process that names the home in its arguments, but the program."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                arguments = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if b"wingbeat.runtime" in arguments and f"{self.home}/".encode() in arguments:
                found.append(int(entry))
        return found

    def kill_processes(self) -> None:
        """Kill whatever still works for this home."""
        deadline = time.monotonic() + 10
        while (found := self._processes()) and time.monotonic() < deadline:
            for pid in found:
                kill(pid)
            time.sleep(0.01)

    # -- what must be true

    def finish(self, redone: int = 0, *, cut: bool = False) -> None:
        """Start it until it ends, and look at what was done."""
        code = -1
        for _ in range(STARTS_MAX):
            code = self.start()
            if code == 0:
                break
        assert code == 0, self.log()
        self.check(redone, cut=cut)

    def marks(self) -> list[tuple[str, str]]:
        return [tuple(line.split()) for line in (self.folder / "marks").read_text().splitlines()]

    def check(self, redone: int = 0, *, cut: bool = False) -> None:
        """Everything acknowledged ended right; no effect is missing, at most `redone` are there twice, and none by one attempt,
        but where a power cut has taken what told that it had begun."""
        marks = self.marks()
        doubled = [attempt for attempt, count in Counter(attempt for attempt, _ in marks).items() if count > 1]
        assert cut or not doubled, f"attempts that ran twice: {doubled}\n{self.log()}"
        expected = Counter(
            f"{name}-{copy}/{step}" for copy in range(self.copies) for name, steps in STEPS.items() for step in steps
        ) + Counter(f"diamond-0/{step}" for step in AGAIN)
        done = Counter(what for _, what in marks)
        for victim in VICTIMS:
            done.pop(f"{victim}/endless", None)
        assert not expected - done, f"lost: {expected - done}\n{self.log()}"
        assert sum((done - expected).values()) <= redone, f"doubled: {done - expected}\n{self.log()}"
        phases = self.phases()
        for name in self.acknowledged():
            right = "ABORTED" if name in VICTIMS else "SUCCEEDED"
            assert phases.get(name) == right, f"{name} was acknowledged and is {phases.get(name)}\n{self.log()}"

    def acknowledged(self, before: float = float("inf"), what: str = "acknowledged") -> set[str]:
        """Executions whose launch was acknowledged before that time; or whose result was (`ended`)."""
        path = self.folder / what
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return {name for name, at in lines if float(at) < before}

    def phases(self) -> dict[str, str]:
        return dict(self._journal("SELECT id, phase FROM executions"))

    def fences(self) -> int:
        """How often a kernel has opened the journal."""
        return int(self._journal("SELECT value FROM meta WHERE key = 'fence'")[0][0])

    def _journal(self, query: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/journal.sqlite?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_parent(pid: int) -> bool:
    """Whether it is no attempt in an interpreter of its own, and none that has entered its folder."""
    try:
        spawned = b"wingbeat.runtime.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return not spawned and os.readlink(f"/proc/{pid}/cwd") == "/"
    except OSError:
        return False


@pytest.fixture
def make_place(tmp_path):
    """Makes places; what runs in them ends with the test."""
    made: list[Place] = []

    def make(home: Path | None = None, copies: int = 1) -> Place:
        made.append(Place(tmp_path / f"place{len(made)}", home, copies))
        return made[-1]

    yield make
    for place in made:
        place.kill_processes()


@pytest.fixture
def place(make_place):
    return make_place()


@pytest.fixture(scope="session")
def mounting():
    """What runs a command with mounts and processes of its own; the test is not run where that is not to be had."""
    if os.geteuid() or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("not run here: what needs mounts of its own: mounting needs root")
    return NAMESPACE


@pytest.fixture
def tell(record_property):
    """Takes lines for the end of the report, from whichever process runs the test."""
    return functools.partial(record_property, "done")


@pytest.fixture(scope="session")
def times():
    """How many times the usual counts."""
    return TIMES


@pytest.fixture(scope="session")
def seed():
    return SEED
