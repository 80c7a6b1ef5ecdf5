"""What the tests of executors stand on: a sink that looks at what it is told, and attempts that can be watched."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec.structs import replace

from wingbeat.contracts.executor import (
    Aborted,
    AttemptRequest,
    Capabilities,
    Executor,
    Failed,
    Immediate,
    Outcome,
    Progress,
    Succeeded,
    Suspended,
)
from wingbeat.contracts.secrets import SourceRef
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.spec.entities import Entry, Interface, SecretSpec, TaskSpec, Variable
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import AttemptPhase
from wingbeat.testing.conformance import tasks
from wingbeat.testing.conformance.kit import Kit, waiting_for
from wingbeat.testing.home import TemporaryHome
from wingbeat.types import literal_type

MODULE = "kit_tasks"
INTERFACE = Interface((Variable("place", literal_type(str)),), (Variable("o0", literal_type(int)),))
EVIDENCE_BYTES_MAX = 64 * 2**10
PREPARING = (AttemptPhase.WAITING_FOR_RESOURCES, AttemptPhase.INITIALIZING)


class Reports:
    """A sink that keeps what it is told, and what was wrong with it."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.outcomes: dict[str, list[Outcome]] = {}
        self.advances: dict[str, list[Progress]] = {}
        self.wrong: list[str] = []
        self.closed = False
        self._thread = threading.get_ident()
        self._told = asyncio.Event()

    def running(self, attempt: str, evidence: dict[str, Any] | None = None) -> None:
        """See `Sink.running`."""
        self._check("running", attempt)
        self._check_plain("running", {} if evidence is None else evidence)
        self.began.append(attempt)
        self._told.set()

    def ended(self, attempt: str, outcome: Outcome) -> None:
        """See `Sink.ended`."""
        self._check("ended", attempt)
        self._check_type("ended", attempt, outcome, Succeeded, Failed, Aborted, Suspended)
        self._check_plain("ended", outcome)
        self.outcomes.setdefault(attempt, []).append(outcome)
        self._told.set()

    def progress(self, attempt: str, phase: str, reason: str) -> None:
        """See `Sink.progress`."""
        self._check("progress", attempt)
        if phase not in PREPARING:
            self.wrong.append(f"progress({attempt!r}, …) was given the phase {phase!r}, not one of {PREPARING}")

    def advanced(self, attempt: str, progress: Progress) -> None:
        """See `Sink.advanced`."""
        self._check("advanced", attempt)
        self._check_type("advanced", attempt, progress, Progress)
        self.advances.setdefault(attempt, []).append(progress)
        self._told.set()

    async def advance(self, attempt: str) -> Progress:
        """The first report of how far an attempt is."""
        await self._until(lambda: attempt in self.advances, f"Sink.advanced({attempt!r}, …)")
        return self.advances[attempt][0]

    async def outcome(self, attempt: str) -> Outcome:
        """The first report of an attempt's end."""
        await self._until(lambda: attempt in self.outcomes, f"Sink.ended({attempt!r}, …)")
        return self.outcomes[attempt][0]

    def check(self) -> None:
        """Fail for what was wrong, and for attempts that have ended in several ways."""
        assert self.wrong == []
        for attempt, outcomes in self.outcomes.items():
            kinds = {type(outcome).__name__ for outcome in outcomes}
            assert len(kinds - {"Aborted"}) <= 1, f"{attempt} has ended in several ways: {outcomes}"

    async def _until(self, true: Any, report: str) -> None:
        with waiting_for(report, lambda: f"it has told the ends of {len(self.outcomes)} attempts"):
            while not true():
                self._told.clear()
                await self._told.wait()

    def _check(self, call: str, attempt: object) -> None:
        if not isinstance(attempt, str):
            self.wrong.append(f"{call} was given the attempt {attempt!r}, which is no id")
        if threading.get_ident() != self._thread:
            self.wrong.append(f"{call}({attempt!r}, …) was called from a thread; only the event loop may")
        if self.closed:
            self.wrong.append(f"{call}({attempt!r}, …) was called after close")

    def _check_type(self, call: str, attempt: object, value: object, *wanted: type) -> None:
        if not isinstance(value, wanted):
            names = " or ".join(each.__name__ for each in wanted)
            self.wrong.append(f"{call}({attempt!r}, …) was given {type(value).__name__}, not {names}")

    def _check_plain(self, call: str, value: object) -> None:
        """What is reported goes into the journal: plain data, and not much of it."""
        try:
            size = len(msgspec.msgpack.encode(value))
        except (TypeError, ValueError) as error:
            self.wrong.append(f"{call} was given what is no plain data: {error}")
        else:
            if size > EVIDENCE_BYTES_MAX:
                self.wrong.append(f"{call} was given {size} bytes; at most {EVIDENCE_BYTES_MAX} go into the journal")


class Stage:
    """An executor that can be called, and what it reports."""

    def __init__(self, kit: ExecutorStage, home: TemporaryHome, executor: Executor) -> None:
        self.kit, self.home, self.executor, self.reports = kit, home, executor, Reports()

    @property
    def can(self) -> Capabilities:
        """What the executor can do."""
        return self.executor.capabilities

    def request(self, name: str, kind: str) -> AttemptRequest:
        """An attempt with the id `name`."""
        return self.kit.request(self.home, self.place(name), name, kind)

    async def submit(self, name: str, kind: str = "succeed", **changed: Any) -> AttemptRequest:
        """Submit an attempt; `changed` are fields of the request."""
        request = replace(self.request(name, kind), **changed)
        if not (isinstance(self.executor, Immediate) and self.executor.submit_nowait(request)):
            await self.executor.submit(request)
        return request

    async def run(self, name: str, kind: str = "succeed", **changed: Any) -> Outcome:
        """Submit an attempt, and wait for its end."""
        await self.submit(name, kind, **changed)
        return await self.reports.outcome(name)

    async def run_with_secret(self, name: str, kind: str, folder: Path, value: str) -> Outcome:
        """As `run`, for a task with the secret ``kit/token``, in a source that has it in `folder`, unless it is empty."""
        if not (self.can.functions and self.can.secrets):
            pytest.skip("its tasks have no secrets, or are no functions")
        (folder / "kit").mkdir(parents=True)
        if value:
            (folder / "kit/token").write_text(value)
            (folder / "kit/token").chmod(0o600)
        source = SourceRef("file", "wingbeat.builtin.secrets:FileSource", {"folder": str(folder)})
        secret = SecretSpec("kit/token", env="KIT_TOKEN" if self.can.isolates else "")
        task = replace(self.request(name, kind).task, secrets=(secret,))
        return await self.run(name, kind, task=task, secrets=source)

    def place(self, name: str) -> Path:
        """The folder of an attempt."""
        folder = place_of(self.home, name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def starts(self, name: str) -> int:
        """How often an attempt has begun."""
        return starts(self.home, name)

    async def begun(self, *names: str) -> None:
        """Wait until attempts have begun."""
        for name in names:
            await self.kit.until(lambda name=name: self.starts(name) > 0, f"the beginning of {name}")  # type: ignore[misc]

    def let_go(self, name: str) -> None:
        """Let an attempt go on to its end."""
        (self.place(name) / "gate").touch()

    def runs(self, name: str) -> bool:
        """Whether anything of an attempt runs."""
        return runs(self.home, name)


def place_of(home: TemporaryHome, name: str) -> Path:
    """The folder of an attempt in `home`."""
    return Path(f"{home.path}.places", hashlib.sha256(name.encode()).hexdigest()[:16])


def starts(home: TemporaryHome, name: str) -> int:
    """How often an attempt has begun."""
    file = place_of(home, name) / "marks"
    return len(file.read_text().split()) if file.exists() else 0


def runs(home: TemporaryHome, name: str) -> bool:
    """Whether anything of an attempt runs: it holds its lock."""
    file = place_of(home, name) / "alive"
    if not file.exists():
        return False
    with file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class ExecutorStage(Kit):
    """What an executor's author gives, and how the tests come to an executor."""

    _bundles: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def home(self, tmp_path: Path) -> Iterator[TemporaryHome]:
        """The home in which the executor works. What a failed test leaves running is let go."""
        home = self.another_home(tmp_path, "home")
        yield home
        self.over(home)

    def over(self, home: TemporaryHome) -> None:
        """The test is over: let go what runs still."""
        for place in Path(f"{home.path}.places").glob("*"):
            (place / "gate").touch()

    def make(self, home: TemporaryHome) -> Executor:
        """An executor; two made in one home are those of two kernels, one after the other."""
        raise NotImplementedError(f"{type(self).__name__} has to say how an executor is made: def make(self, home)")

    def request(self, home: TemporaryHome, place: Path, name: str, kind: str) -> AttemptRequest:
        """An attempt with the id `name` that does what the function `kind` of `tasks` does, with the folder `place`.

        Executors that run no Python functions give one of their own that does the same.
        """
        task = TaskSpec(f"{MODULE}.{kind}", INTERFACE, Entry(MODULE, kind))
        return AttemptRequest(name, task, {"place": Inline(str(place))}, bundle=self.bundle(home))

    def bundle(self, home: TemporaryHome) -> str:
        """The digest of a code bundle with `tasks`, in the storage of the home."""
        if home.path not in self._bundles:
            source = Path(os.path.abspath(tasks.__file__)).read_bytes()
            blob = home.storage().put_files({f"{MODULE}.py": source, BUNDLE_FILE: bundle_info_bytes((".",))})
            self._bundles[home.path] = blob.digest
        return self._bundles[home.path]

    @contextlib.asynccontextmanager
    async def started(self, home: TemporaryHome, recover: list[AttemptRequest] | None = None) -> AsyncIterator[Stage]:
        """An executor that can be called, by a kernel that knows of the attempts `recover`; looked at once more at the end."""
        stage = Stage(self, home, self.make(home))
        await stage.executor.start(stage.reports)
        try:
            await stage.executor.recover(recover or [])
            yield stage
        finally:
            await stage.executor.close()
            stage.reports.closed = True
        await asyncio.sleep(0)
        stage.reports.check()
