"""A home, a bundle of modules written by the test, a sink that remembers, and executors on them."""

import asyncio
import os
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path

import pytest

from wingbeat.base.ids import attempt_folder, split_attempt_id
from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.entities import Entry, Interface, ResourceSpec, TaskSpec, Variable
from wingbeat.spec.literal import Inline
from wingbeat.types import literal_type

DEADLINE_S = 30.0


async def poll(true, seconds=DEADLINE_S):
    """Poll until `true()` is; returns what it returned."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)
    return value


class Sink:
    """Remembers every report."""

    def __init__(self):
        self.started = defaultdict(list)
        self.outcomes = defaultdict(list)
        self.phases = defaultdict(list)
        self.advances = defaultdict(list)

    def running(self, attempt, evidence=None):
        self.started[attempt].append(evidence)

    def ended(self, attempt, outcome):
        self.outcomes[attempt].append(outcome)

    def progress(self, attempt, phase, reason):
        self.phases[attempt].append((phase, reason))

    def advanced(self, attempt, progress):
        self.advances[attempt].append(progress)

    async def outcome(self, attempt, seconds=DEADLINE_S):
        return (await poll(lambda: self.outcomes.get(attempt), seconds))[0]


class OwnInterpreter:
    """The environment of the tests, for every task."""

    def __init__(self, python):
        self.interpreter = Interpreter("own", python, isolated=False)

    async def ensure(self, environment, project_lock):
        return self.interpreter


class World:
    """What a test works with."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.bundle = folder / "bundle"
        self.bundle.mkdir(parents=True)
        (self.bundle / BUNDLE_FILE).write_bytes(bundle_info_bytes((".",)))
        self.marks_file = folder / "marks"
        self.executors = []
        self.module(
            "marking",
            f"""
            import os
            def mark(what):
                fd = os.open({str(self.marks_file)!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
                os.write(fd, (str(what) + chr(10)).encode())
                os.close(fd)
            """,
        )

    def module(self, name, source):
        path = self.bundle / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))

    def marks(self):
        return self.marks_file.read_text().splitlines() if self.marks_file.exists() else []

    def attempt(self, name):
        return self.home / "attempts" / attempt_folder(*split_attempt_id(name))

    def request(self, entry, name="x1/n0/0", inputs=None, *, outputs=("o0",), cpu=None, memory=None, **task):
        module, _, function = entry.partition(":")
        variables = tuple(Variable(each, literal_type(int)) for each in outputs)
        spec = TaskSpec(
            entry.replace(":", "."),
            Interface((), variables),
            Entry(module, function),
            resources=ResourceSpec(cpu=cpu, memory_bytes=memory),
            **task,
        )
        literals = {k: v if hasattr(v, "__struct_fields__") else Inline(v) for k, v in (inputs or {}).items()}
        return AttemptRequest(name, spec, literals, bundle="sha256:test")

    async def executor(self, sink=None, *, environments=None, storage=None, python=sys.executable, **settings):
        made = ProcessExecutor(
            str(self.home),
            environments=environments or OwnInterpreter(python),
            bundle_path=lambda _: str(self.bundle),
            storages=() if storage is None else (storage,),
            settings=ProcessSettings(**{"parent_idle_s": 0.2, "cancel_grace_s": 0.3, **settings}),
        )
        await made.start(sink or Sink())
        self.executors.append(made)
        return made

    async def run(self, request, **settings):
        """Submit and wait: the outcome."""
        sink = Sink()
        executor = await self.executor(sink, **settings)
        await executor.submit(request)
        return await sink.outcome(request.id)

    def processes(self):
        """Processes that work for this home: its parents and attempts."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
                dead = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if str(self.home).encode() in text and not dead and int(path.name) != os.getpid():
                found.append(int(path.name))
        return found


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    yield made
    for executor in made.executors:
        for name in await executor.list():
            await executor.cancel(name, "the test is over")
        await executor.close()
    # Nothing is left behind, after any test.
    await poll(lambda: not made.processes())


@pytest.fixture
def until():
    return poll


@pytest.fixture
def sink():
    return Sink()
