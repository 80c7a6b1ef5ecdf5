"""What an executor with `Capabilities.gangs` must do beside `wingbeat.testing.conformance.executor`::

    class TestMyGangs(GangContract):
        def make(self, place: Path) -> Executor: ...
        def request(self, place: Path, name: str, kind: str) -> AttemptRequest: ...

The attempt has two members of the role ``worker`` and one of the role ``ps``, which serves. Each appends a line to the file
``marks`` in `place` when it begins: its name (`Member.name`), and its address. A ``ps`` goes on for ever then. What the workers
do depends on the kind: of ``succeed`` they return 7 plus their index, as output ``o0``; of ``fail`` ``worker-1`` raises
ValueError("as asked") and ``worker-0`` goes on for ever; of ``wait`` both go on until there is a file ``gate`` in `place`, and
return as those of ``succeed``. Of ``again``, ``worker-0`` succeeds if each member finds, in the attempt's checkpoint, the files
that both workers have saved there under their names in the attempt before; in attempt 0 both save and ``worker-1`` fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, AttemptRequest, Executor, Failed, Succeeded
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor_stage import Reports

WAIT_S = 45.0
NAMES = ["ps-0", "worker-0", "worker-1"]


@pytest.mark.anyio
class GangContract:
    """The contract as tests."""

    def make(self, place: Path) -> Executor:
        """An executor with room for three processes; two made with one `place` are the executors of two kernels, one after the
        other."""
        raise NotImplementedError

    def request(self, place: Path, name: str, kind: str) -> AttemptRequest:
        """An attempt with the id `name`."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def started(self, place: Path) -> AsyncIterator[tuple[Executor, Reports]]:
        """An executor that can be called, and what it reports."""
        executor, reports = self.make(place), Reports()
        assert executor.capabilities.gangs
        await executor.start(reports)
        await executor.recover([])
        try:
            yield executor, reports
        finally:
            await executor.close()

    def marks(self, place: Path) -> list[tuple[str, str]]:
        """Names and addresses of the members that have begun."""
        file = place / "marks"
        lines = file.read_text().splitlines() if file.exists() else []
        return sorted((name, address) for name, _, address in (line.partition(" ") for line in lines))

    async def begun(self, place: Path, count: int = 3) -> None:
        """Wait until so many members have begun."""
        async with asyncio.timeout(WAIT_S):
            while len(self.marks(place)) < count:
                await asyncio.sleep(0.01)

    async def test_all_members_run_once_and_the_outputs_are_those_of_the_first(self, tmp_path: Path) -> None:
        """Each has an address of its own; who serves is stopped."""
        async with self.started(tmp_path) as (executor, reports):
            request = self.request(tmp_path, "e/n/0", "succeed")
            await executor.submit(request)
            await executor.submit(request)
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Succeeded)
            assert outcome.outputs == {"o0": Inline(7)}
            marks = self.marks(tmp_path)
            assert set(NAMES) - {"ps-0"} <= {name for name, _ in marks} <= set(NAMES)
            assert len({address for _, address in marks}) == len(marks)
            assert list(await executor.list()) == []

    async def test_the_error_of_one_is_that_of_the_attempt_and_ends_the_others(self, tmp_path: Path) -> None:
        """The evidence names it, and tells how each ended."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "fail"))
            outcome = await reports.outcome("e/n/0")
            assert isinstance(outcome, Failed)
            assert (outcome.error.code, outcome.error.kind) == ("ValueError", ErrorKind.USER)
            assert "as asked" in outcome.error.message
            assert outcome.error.evidence["member"] == "worker-1"
            assert sorted(outcome.error.evidence["members"]) == NAMES
            assert list(await executor.list()) == []

    async def test_a_cancelled_gang_is_gone_when_cancel_returns(self, tmp_path: Path) -> None:
        """And reported as aborted, once."""
        async with self.started(tmp_path) as (executor, reports):
            await executor.submit(self.request(tmp_path, "e/n/0", "wait"))
            await self.begun(tmp_path)
            assert list(await executor.list()) == ["e/n/0"]
            await executor.cancel("e/n/0", "enough")
            assert isinstance(await reports.outcome("e/n/0"), Aborted)
            assert list(await executor.list()) == []

    async def test_a_gang_is_adopted_as_a_whole(self, tmp_path: Path) -> None:
        """It runs once, and its end is reported to the next executor; without the capability it is reported lost."""
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
        assert [name for name, _ in self.marks(tmp_path)] == NAMES
        await executor.close()

    async def test_members_share_the_checkpoint_that_the_next_attempt_finds(self, tmp_path: Path) -> None:
        """Only for executors that carry checkpoints."""
        async with self.started(tmp_path) as (executor, reports):
            if not executor.capabilities.carries_checkpoints:
                return
            await executor.submit(self.request(tmp_path, "e/n/0", "again"))
            assert isinstance(await reports.outcome("e/n/0"), Failed)
            await executor.submit(self.request(tmp_path, "e/n/1", "again"))
            assert isinstance(await reports.outcome("e/n/1"), Succeeded)
