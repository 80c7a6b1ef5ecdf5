import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import attempt_folder
from wingbeat.contracts.catalog import Evicted
from wingbeat.contracts.engine import (
    AttemptView,
    ExecutionView,
    GateView,
    NodeReuse,
    NodeView,
    RecoveryPlan,
    ReuseDecision,
    Summary,
)
from wingbeat.contracts.observer import Published
from wingbeat.spec.entities import Closure, Interface, Variable, WorkflowSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.types import Simple
from wingbeat_cli.group import invoke

INT = Simple("int")
T0 = 1_700_000_000.0


def closure_of(*inputs: Variable) -> Closure:
    interface = Interface(inputs, (Variable("o0", INT),))
    workflow = WorkflowSpec("flow.pipeline", interface, doc="Add and double.")
    return Closure("d", {"d": workflow})


def published(kind: str, phase: str, node: str = "", at: float = 0.0, **more: Any) -> Published:
    return Published("e1", 0, T0 + at, kind, phase, node, **more)


SUCCESS = [
    published("execution", "RUNNING"),
    published("cache", "HIT", "n0", cache="HIT"),
    published("node", "SUCCEEDED", "n0", 0.1, cache="HIT"),
    published("attempt", "QUEUED", "n1", 0.1),
    published("attempt", "RUNNING", "n1", 0.2),
    published("attempt", "RETRYABLE_FAILED", "n1", 1.2, reason="ValueError: not yet\nsecond line"),
    published("attempt", "RUNNING", "n1", 2.2, attempt=1),
    published("node", "SUCCEEDED", "n1", 12.5, attempt=1, cache="POPULATED"),
    published("execution", "SUCCEEDED", at=12.5),
]


def view_of(phase: ExecutionPhase = ExecutionPhase.SUCCEEDED, error: ErrorInfo | None = None) -> ExecutionView:
    attempts = [
        AttemptView(0, AttemptPhase.RETRYABLE_FAILED, T0, T0 + 0.2, T0 + 1.2),
        AttemptView(1, AttemptPhase.SUCCEEDED, T0 + 2, T0 + 2.2, T0 + 12.5),
    ]
    return ExecutionView(
        id="e1",
        workflow="flow.pipeline",
        phase=phase,
        created_at=T0,
        nodes=[
            NodeView("n0", "flow.one", NodePhase.SUCCEEDED, cache="HIT", source="e0/n0/0", ended_at=T0 + 0.1),
            NodeView(
                "n1",
                "flow.two",
                NodePhase.FAILED if error else NodePhase.SUCCEEDED,
                attempts,
                "MISS" if error else "POPULATED",
                ended_at=T0 + 12.5,
            ),
        ],
        inputs={"x": Inline(3)},
        outputs=None if error else {"o0": Inline(8)},
        error=error,
        began_at=T0,
        ended_at=T0 + 12.5,
    )


FAILURE = ErrorInfo(
    "ValueError",
    "ValueError: a bug in the last step",
    trace='Traceback (most recent call last):\n  File "flow.py", line 3, in two\nValueError: a bug in the last step\n',
    evidence={"exit_code": 1},
    node="n1",
)


@dataclass
class World:
    """What the fake kernel holds, and what it was asked."""

    home: Path
    closure: Closure = field(default_factory=lambda: closure_of(Variable("x", INT)))
    view: ExecutionView = field(default_factory=view_of)
    events: list[Published] = field(default_factory=lambda: list(SUCCESS))
    created: bool = True
    launched: list[dict[str, Any]] = field(default_factory=list)
    recovered: list[tuple[str, Closure | None]] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    evicted: list[dict[str, Any]] = field(default_factory=list)
    gates: dict[str, GateView] = field(default_factory=dict)
    signalled: list[tuple[str, str, Any]] = field(default_factory=list)
    planned: list[Closure | None] = field(default_factory=list)
    holds: bool = False
    settings: list = field(default_factory=list)
    compiled: list[tuple[str, str]] = field(default_factory=list)
    fails: Exception | None = None
    held: bool = True
    interrupted: bool = False

    closure_of = staticmethod(closure_of)
    published = staticmethod(published)
    view_of = staticmethod(view_of)

    def fail(self, phase: str = "FAILED") -> None:
        """Let the execution have ended without success."""
        self.view = view_of(ExecutionPhase(phase), FAILURE)


class FakeExecution:
    def __init__(self, world: World) -> None:
        self.world, self.id, self.created = world, world.view.id, world.created
        self.recovered = 0

    async def wait(self):
        return self.world.view.phase

    async def describe(self):
        return self.world.view

    async def abort(self, reason=""):
        self.world.aborted.append(reason)

    async def events(self, cursor=-1):
        if self.world.interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.05)
        for event in self.world.events:
            yield event


class FakeEngine:
    def __init__(self, world: World) -> None:
        self.world = world

    async def executions(self, *, after="", limit=100):
        view = self.world.view
        all_of_them = [Summary(f"e{i}", "flow.pipeline", view.phase, T0 + i, T0 + i + 2.5) for i in range(3, 0, -1)]
        behind = [each for each in all_of_them if not after or each.id < after]
        return behind[:limit]

    async def describe(self, execution, *, nodes=True):
        if execution != self.world.view.id:
            raise NotFound(f"There is no execution {execution!r}.")
        return self.world.view

    async def closure(self, execution):
        return self.world.closure

    async def events(self, execution, cursor=-1):
        for event in self.world.events:
            yield event

    async def explain_cache(self, execution, node):
        if node != "n1":
            raise NotFound(f"execution {execution} has no node {node}")
        return "MISS: input 'x' differs"


class FakeKernel:
    def __init__(self, world: World) -> None:
        self.world, self.engine, self.holds = world, FakeEngine(world), world.holds

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def launch(self, closure, inputs=None, name=None, *, resume=False, labels=None):
        if self.world.fails:
            raise self.world.fails
        self.world.launched.append({"inputs": inputs, "name": name, "resume": resume, **(labels or {})})
        return FakeExecution(self.world)

    async def bring_logs(self, execution): ...

    async def evict_cache(self, **which):
        self.world.evicted.append(which)
        return Evicted(3, 2048)

    async def recover(self, execution, entity=None, name=None, *, resume=False):
        self.world.recovered.append((execution, entity))
        return FakeExecution(self.world)

    async def relaunch(self, execution, entity=None, name=None):
        return await self.recover(execution, entity, name)

    async def recovery_plan(self, execution, entity=None):
        self.world.planned.append(entity)
        nodes = [
            NodeReuse("n0", "flow.one", ReuseDecision.REUSED),
            NodeReuse("n1", "flow.many", ReuseDecision.OPEN, "by its inputs", 5, 3),
            NodeReuse("n2", "flow.two", ReuseDecision.RUNS, "the code of flow.two changed"),
            NodeReuse("n3", "flow.old", ReuseDecision.GONE, "the workflow does not have it any more"),
        ]
        return RecoveryPlan(execution, "flow.pipeline", nodes)

    async def gate(self, execution, name):
        if name not in self.world.gates:
            raise NotFound(f"Execution {execution!r} has no gate {name!r}.")
        return self.world.gates[name]

    async def signal(self, execution, name, value):
        self.world.signalled.append((execution, name, value))

    def attempts(self, execution, node):
        return [rest[0] for rest in self._folders(execution, node) if len(rest) == 1]

    def items(self, execution, node):
        return {rest[0] for rest in self._folders(execution, node) if len(rest) == 2}

    def _folders(self, execution, node):
        folder = self.world.home / "attempts" / execution
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        rests = [name.removeprefix(f"{node}.").split(".") for name in sorted(names) if name.startswith(f"{node}.")]
        return [[int(part) for part in rest] for rest in rests if all(part.isdecimal() for part in rest)]

    async def get(self, execution):
        if execution != self.world.view.id:
            raise NotFound(f"there is no execution {execution}", hint="wingbeat get executions")
        return FakeExecution(self.world)

    def plain(self, literals, closure, *, inputs=False):
        return {name: literal.value for name, literal in literals.items()}

    def log_path(self, execution, node, attempt):
        return self.world.home / "attempts" / attempt_folder(execution, node, attempt) / "log"

    def member_logs(self, execution, node, attempt):
        folder = self.log_path(execution, node, attempt).with_name("members")
        return {path.parent.name: path for path in sorted(folder.glob("*/log"))}

    def deck_path(self, execution, node, attempt):
        return self.log_path(execution, node, attempt).with_name("deck.html")


def fake_module(world: World) -> Any:
    module: Any = ModuleType("wingbeat.kernel")

    def compile_file(file, entity, *, settings):
        world.settings.append(settings)
        if world.fails:
            raise world.fails
        world.compiled.append((file, entity))
        return world.closure

    def kernel(*, read_only=False, settings):
        world.settings.append(settings)
        return FakeKernel(world)

    module.Kernel = kernel
    module.compile_file = compile_file
    module.engine_of = lambda settings: settings.get("kernel", {}).get("engine", "local")
    module.place_of = lambda given: (
        given.get("project", {}).get("name", "default"),
        given.get("project", {}).get("domain", "development"),
    )
    module.entities_of = lambda file: ["pipeline", "one"]
    module.engine_of = lambda given: given.get("kernel", {}).get("engine", "local")
    module.is_held = lambda home: world.held
    module.home_path = lambda: world.home
    return module


@pytest.fixture
def world(tmp_path, monkeypatch):
    home = tmp_path / ".wingbeat"
    home.mkdir()
    made = World(home)
    monkeypatch.setitem(sys.modules, "wingbeat.kernel", fake_module(made))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "flow.py").write_text("")
    return made


@dataclass
class Answer:
    status: int
    out: str
    err: str


@pytest.fixture
def wingbeat(capsys):
    """Call the command in this process."""

    def call(*arguments):
        status = invoke(list(arguments))
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return call
