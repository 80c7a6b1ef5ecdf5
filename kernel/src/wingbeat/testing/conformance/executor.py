"""What every executor must do. Derive one test class, say how an executor is made and what its attempts are::

    class TestMyExecutor(ExecutorContract):
        def make(self, place: Path) -> Executor: ...
        def request(self, place: Path, name: str, kind: str) -> AttemptRequest: ...

A request of kind ``succeed`` gives the output ``o0`` 7, ``fail`` raises ValueError("as asked"), and ``wait`` goes on until
there is a file ``gate`` in `place`. Each appends one line to the file ``marks`` in `place` when it begins. What an executor
cannot do it says in its `Capabilities`; the tests of that are skipped.

For executors that report progress, ``advance`` calls ``current().progress(0.5, "half")``, goes on as ``wait`` does, and calls
``current().progress(1.0, "whole")`` before it gives 7. For those that carry checkpoints, ``count`` adds one to the number in
the file ``count`` of its checkpoint (0 if there is none), saves it, and gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, AttemptRequest, Executor, Failed, Outcome, Progress, Succeeded
from wingbeat.spec.literal import Inline

WAIT_S = 30.0


class Reports:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.outcomes: dict[str, list[Outcome]] = {}
        self.advances: dict[str, list[Progress]] = {}
        self._told = asyncio.Event()

    def running(self, attempt: str, evidence: dict[str, Any] | None = None) -> None:
        """See `Sink.running`."""
        self.began.append(attempt)
        self._told.set()

    def ended(self, attempt: str, outcome: Outcome) -> None:
        """See `Sink.ended`."""
        self.outcomes.setdefault(attempt, []).append(outcome)
        self._told.set()

    def progress(self, attempt: str, phase: str, reason: str) -> None:
        """See `Sink.progress`."""

    def advanced(self, attempt: str, progress: Progress) -> None:
        """See `Sink.advanced`."""
        self.advances.setdefault(attempt, []).append(progress)
        self._told.set()

    async def advance(self, attempt: str) -> Progress:
        """The first report of how far an attempt is."""
        async with asyncio.timeout(WAIT_S):
            while attempt not in self.advances:
                self._told.clear()
                await self._told.wait()
        return self.advances[attempt][0]

    async def outcome(self, attempt: str) -> Outcome:
        """The first report of an attempt's end."""
        async with asyncio.timeout(WAIT_S):
            while attempt not in self.outcomes:
                self._told.clear()
                await self._told.wait()
        return self.outcomes[attempt][0]


class ExecutorContract:
    """The contract as tests."""

    def make(self, place: Path) -> Executor:
        """An executor; two made with one `place` are the executors of two kernels, one after the other."""
        raise NotImplementedError

    def request(self, place: Path, name: str, kind: str) -> AttemptRequest:
        """An attempt with the id `name`."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def started(self, place: Path) -> AsyncIterator[tuple[Executor, Reports]]:
        """An executor that can be called, and what it reports."""
        executor, reports = self.make(place), Reports()
        await executor.start(reports)
        await executor.recover([])
        try:
            yield executor, reports
        finally:
            await executor.close()

    def marks(self, place: Path) -> int:
        """How many attempts began."""
        file = place / "marks"
        return len(file.read_text().split()) if file.exists() else 0

    async def begun(self, place: Path, count: int = 1) -> None:
        """Wait until so many attempts began."""
        async with asyncio.timeout(WAIT_S):
            while self.marks(place) < count:
                await asyncio.sleep(0.01)

    async def test_success_comes_with_the_outputs(self, tmp_path: Path) -> None:
        """Once."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "succeed"))
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Succeeded)
            assert outcome.outputs == {"o0": Inline(7)}
            assert self.marks(tmp_path) == 1

    async def test_failure_comes_with_the_error(self, tmp_path: Path) -> None:
        """Of the user's, with its class and text."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "fail"))
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Failed)
            assert (outcome.error.code, outcome.error.kind) == ("ValueError", ErrorKind.USER)
            assert "as asked" in outcome.error.message

    async def test_a_running_attempt_is_reported_and_listed(self, tmp_path: Path) -> None:
        """Until it has ended."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "wait"))
            await self.begun(tmp_path)
            assert list(await executor.list()) == ["e/n/0"]
            (tmp_path / "gate").touch()
            assert isinstance(await reports.outcome("e/n/0"), Succeeded)
            if executor.capabilities.reports_running:
                assert reports.began == ["e/n/0"]
            assert list(await executor.list()) == []

    async def test_the_same_attempt_twice_runs_once(self, tmp_path: Path) -> None:
        """While it runs, and after it has ended."""
        async with self.started(tmp_path) as (executor, reports):
            request = self.request(tmp_path, "e/n/0", "wait")
            await executor.submit(request)
            await executor.submit(request)
            await self.begun(tmp_path)
            (tmp_path / "gate").touch()
            await reports.outcome("e/n/0")
            await executor.submit(request)
            await executor.submit(self.request(tmp_path, "e/other/0", "succeed"))
            await reports.outcome("e/other/0")
            assert self.marks(tmp_path) == 2

    async def test_a_cancelled_attempt_is_gone_when_cancel_returns(self, tmp_path: Path) -> None:
        """And reported as aborted; cancelling again is fine."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "wait"))
            await self.begun(tmp_path)
            await executor.cancel("e/n/0", "enough")
            assert isinstance(await reports.outcome("e/n/0"), Aborted)
            assert list(await executor.list()) == []
            await executor.cancel("e/n/0", "enough")

    async def test_what_was_cancelled_before_it_came_does_not_start(self, tmp_path: Path) -> None:
        """A late submit of a cancelled attempt is not run."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.cancel("e/n/0", "enough")
            assert isinstance(await reports.outcome("e/n/0"), Aborted)
            await executor.submit(self.request(tmp_path, "e/n/0", "succeed"))
            await executor.submit(self.request(tmp_path, "e/other/0", "succeed"))
            assert isinstance(await reports.outcome("e/other/0"), Succeeded)
            assert self.marks(tmp_path) == 1

    async def test_cancelling_what_has_ended_changes_nothing(self, tmp_path: Path) -> None:
        """The first report counts."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "succeed"))
            assert isinstance(await reports.outcome("e/n/0"), Succeeded)
            await executor.cancel("e/n/0", "enough")
            assert isinstance(reports.outcomes["e/n/0"][0], Succeeded)

    async def test_what_runs_is_adopted_by_the_next_executor(self, tmp_path: Path) -> None:
        """It runs once, and its end is reported to the new one; without the capability it is reported lost."""
        request = self.request(tmp_path, "e/n/0", "wait")
        async with self.started(tmp_path) as (executor, _):
            await executor.submit(request)
            await self.begun(tmp_path)
        executor, reports = self.make(tmp_path), Reports()
        await executor.start(reports)
        await executor.recover([request])
        (tmp_path / "gate").touch()
        outcome = await reports.outcome("e/n/0")
        if executor.capabilities.adopts:
            assert isinstance(outcome, Succeeded)
        else:
            assert isinstance(outcome, Failed)
            assert outcome.error.kind is ErrorKind.SYSTEM
        assert self.marks(tmp_path) == 1
        await executor.close()

    async def test_the_outcome_of_what_ended_meanwhile_is_taken(self, tmp_path: Path) -> None:
        """Only for executors that adopt."""
        request = self.request(tmp_path, "e/n/0", "succeed")
        async with self.started(tmp_path) as (executor, reports):
            if not executor.capabilities.adopts:
                pytest.skip("it does not adopt")
            await executor.submit(request)
            await reports.outcome("e/n/0")
        executor, reports = self.make(tmp_path), Reports()
        await executor.start(reports)
        await executor.recover([request])
        assert isinstance(await reports.outcome("e/n/0"), Succeeded)
        assert self.marks(tmp_path) == 1
        await executor.close()

    async def test_how_far_an_attempt_is_is_told_while_it_runs_and_stays_in_its_evidence(self, tmp_path: Path) -> None:
        """Only for executors that report progress."""
        async with self.started(tmp_path) as (executor, reports):
            if not executor.capabilities.reports_progress:
                pytest.skip("it does not report progress")
            await executor.submit(self.request(tmp_path, "e/n/0", "advance"))
            progress = await reports.advance("e/n/0")
            assert (progress.fraction, progress.text) == (0.5, "half")
            assert progress.at > 0
            (tmp_path / "gate").touch()
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Succeeded)
            kept = outcome.evidence["progress"]
            assert (kept["fraction"], kept["text"]) == (1.0, "whole")

    async def test_how_far_an_adopted_attempt_is_is_told_again(self, tmp_path: Path) -> None:
        """Only for executors that adopt and report progress."""
        request = self.request(tmp_path, "e/n/0", "advance")
        async with self.started(tmp_path) as (executor, reports):
            if not (executor.capabilities.adopts and executor.capabilities.reports_progress):
                pytest.skip("it does not adopt, or does not report progress")
            await executor.submit(request)
            await reports.advance("e/n/0")
        executor, reports = self.make(tmp_path), Reports()
        await executor.start(reports)
        await executor.recover([request])
        assert (await reports.advance("e/n/0")).text == "half"
        (tmp_path / "gate").touch()
        await reports.outcome("e/n/0")
        await executor.close()

    async def test_an_attempt_begins_with_the_checkpoint_of_the_one_before(self, tmp_path: Path) -> None:
        """Also if one between them never ran. Only for executors that carry checkpoints."""
        async with self.started(tmp_path) as (executor, reports):
            if not executor.capabilities.carries_checkpoints:
                pytest.skip("it does not carry checkpoints")
            assert await self._counted(executor, reports, self.request(tmp_path, "e/n/0", "count")) == 1
            assert await self._counted(executor, reports, self.request(tmp_path, "e/n/1", "count")) == 2
            await executor.cancel("e/n/2", "before it came")
            assert await self._counted(executor, reports, self.request(tmp_path, "e/n/3", "count")) == 3
            assert await self._counted(executor, reports, self.request(tmp_path, "e/other/0", "count")) == 1

    async def test_a_node_that_recovers_another_begins_with_a_copy_of_its_checkpoint(self, tmp_path: Path) -> None:
        """However often it is recovered; its own attempts go before. Only for executors that carry checkpoints."""
        async with self.started(tmp_path) as (executor, reports):
            if not executor.capabilities.carries_checkpoints:
                pytest.skip("it does not carry checkpoints")
            assert await self._counted(executor, reports, self.request(tmp_path, "e/n/0", "count")) == 1
            for name, expected in (("f/n/0", 2), ("g/n/0", 2), ("g/n/1", 3)):
                request = replace(self.request(tmp_path, name, "count"), checkpoint="e/n")
                assert await self._counted(executor, reports, request) == expected
            request = replace(self.request(tmp_path, "h/n/0", "count"), checkpoint="gone/n")
            assert await self._counted(executor, reports, request) == 1

    async def _counted(self, executor: Executor, reports: Reports, request: AttemptRequest) -> Any:
        await executor.submit(request)
        outcome = await reports.outcome(request.id)
        assert isinstance(outcome, Succeeded)
        value = outcome.outputs["o0"]
        assert isinstance(value, Inline)
        return value.value
