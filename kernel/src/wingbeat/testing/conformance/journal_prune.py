"""What every journal must do that forgets. Derive a class beside that of `JournalContract`::

class TestMyJournal(JournalContract, PruneContract):
    def make(self, home: Home) -> Journal:
        return MyJournal(home.path)
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from wingbeat.contracts.journal import Batch, Ended, FencedOut, Journal, Prunable, Snapshot
from wingbeat.testing.conformance.journal import record, rows
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome


def pruning(journal: Journal) -> Prunable:
    """The journal, which forgets."""
    assert isinstance(journal, Prunable), f"{type(journal).__name__} forgets nothing"
    return journal


class PruneContract(Kit):
    """The contract of `wingbeat.contracts.journal.Prunable` as tests."""

    def make(self, home: TemporaryHome) -> Journal:
        """A journal in `home`, not opened yet."""
        raise NotImplementedError(f"{type(self).__name__} has to say how a journal is made: def make(self, home)")

    @contextlib.asynccontextmanager
    async def filled(self, home: TemporaryHome) -> AsyncIterator[tuple[Journal, int]]:
        """A journal with an execution that has ended, of a closure of its own, and one that has not; and its fence."""
        journal = self.make(home)
        fence = await journal.open("me")
        try:
            both = [replace(record("over"), closure="sha256:o"), record("live")]
            said = [*rows("over", b"0", b"1"), *rows("live", b"0")]
            await journal.append(Batch(said, both, closures={"sha256:o": b"of over", "sha256:c": b"of live"}), fence)
            await journal.snapshot(Snapshot("over", 1, b"state"), fence)
            await journal.append(Batch(phases=[Ended("over", "SUCCEEDED", 2.0)]), fence)
            yield journal, fence
        finally:
            await journal.close()

    async def test_what_is_forgotten_is_gone_and_stays_gone(self, home: TemporaryHome) -> None:
        """`prune`: the record, its rows, its snapshot; also of another object. Its closure, when no execution is of it."""
        async with self.filled(home) as (journal, fence):
            assert sorted(await pruning(journal).closures()) == ["sha256:c", "sha256:o"]
            assert await pruning(journal).prune(["over"], ["sha256:o"], fence) == 1
            assert await pruning(journal).prune(["over"], ["sha256:o"], fence) == 0, "it was forgotten already"
        again = self.make(home)
        await again.open_to_read()
        try:
            assert await again.record("over") is None
            assert await again.read("over") == []
            assert await again.latest("over") is None
            assert await again.closure("sha256:o") is None
            assert await pruning(again).closures() == ["sha256:c"]
            assert [found.execution for found in await again.records()] == ["live"]
            assert [change.record.execution for change in await again.changes()] == ["live"]
            assert [row.body for row in await again.read("live")] == [b"0"], "the others are as they were"
        finally:
            await again.close()

    async def test_what_has_not_ended_stays(self, home: TemporaryHome) -> None:
        """`prune`: of an execution that has not ended, and of a closure that some execution is of, nothing is forgotten."""
        async with self.filled(home) as (journal, fence):
            assert await pruning(journal).prune(["live", "never"], ["sha256:c", "sha256:o"], fence) == 0
            assert sorted(await pruning(journal).closures()) == ["sha256:c", "sha256:o"]
            assert [row.body for row in await journal.read("live")] == [b"0"]
            assert await pruning(journal).prune(["over"], ["sha256:c", "sha256:o"], fence) == 1
            assert await pruning(journal).closures() == ["sha256:c"]

    async def test_numbers_of_changes_are_not_given_again(self, home: TemporaryHome) -> None:
        """`changes`: whoever goes on behind a number misses nothing that comes after something was forgotten."""
        async with self.filled(home) as (journal, fence):
            last = (await journal.changes())[-1].number
            await pruning(journal).prune(["over"], [], fence)
            await journal.append(Batch(rows("next", b"0"), [record("next")]), fence)
            assert [change.record.execution for change in await journal.changes(last)] == ["next"]

    async def test_a_name_may_be_taken_again(self, home: TemporaryHome) -> None:
        """`append`: an execution of the name of one that was forgotten is another one."""
        async with self.filled(home) as (journal, fence):
            await pruning(journal).prune(["over"], [], fence)
            await journal.append(Batch(rows("over", b"new"), [record("over")]), fence)
            assert [row.body for row in await journal.read("over")] == [b"new"]
            assert await journal.latest("over") is None

    async def test_who_is_fenced_out_forgets_nothing(self, home: TemporaryHome) -> None:
        """`prune`: with a fence that is not the newest it raises `FencedOut`, and everything is there."""
        async with self.filled(home) as (journal, fence):
            with pytest.raises(FencedOut):
                await pruning(journal).prune(["over"], ["sha256:o"], fence - 1)
            assert len(await journal.read("over")) == 2
            assert sorted(await pruning(journal).closures()) == ["sha256:c", "sha256:o"]
