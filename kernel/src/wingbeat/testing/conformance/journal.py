"""What every journal must do. Derive one test class and say how a journal is made::

    class TestMyJournal(JournalContract):
        def make(self, place: Path) -> Journal:
            return MyJournal(place)

`place` is an empty folder; two journals made in the same one must see the same content.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wingbeat.contracts.journal import Batch, Ended, FencedOut, Journal, Record, Row, Snapshot


def record(name: str, *, key: str = "", at: float = 1.0) -> Record:
    """An execution that runs."""
    return Record(name, "sha256:c", "module.workflow", b"inputs", key, at, "RUNNING", labels={"team": "eta"})


def rows(name: str, *bodies: bytes, start: int = 0) -> list[Row]:
    """Rows of an execution, numbered from `start`."""
    return [Row(name, start + i, body) for i, body in enumerate(bodies)]


class JournalContract:
    """The contract as tests. A journal that is shared by processes is also tried with two objects at once."""

    def make(self, place: Path) -> Journal:
        """A journal in `place`, not opened yet."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def opened(self, place: Path, owner: str = "me") -> AsyncIterator[tuple[Journal, int]]:
        """A journal that is open, and its fence."""
        journal = self.make(place)
        fence = await journal.open(owner)
        try:
            yield journal, fence
        finally:
            await journal.close()

    async def test_what_was_appended_is_read_in_order(self, tmp_path: Path) -> None:
        """In order, from any row on, by whoever opens it next."""
        async with self.opened(tmp_path) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0", b"1"), launches=[record("a")]), fence)
            await journal.append(Batch(rows=rows("a", b"2", start=2)), fence)
            assert [r.body for r in await journal.read("a")] == [b"0", b"1", b"2"]
            assert [r.sequence for r in await journal.read("a", 0)] == [1, 2]
        async with self.opened(tmp_path) as (journal, _):
            assert await journal.read("a") == rows("a", b"0", b"1", b"2")
            assert await journal.read("unknown") == []

    async def test_a_batch_holds_many_executions_and_all_kinds(self, tmp_path: Path) -> None:
        """Rows, launches, phases and closures of one commit are there together."""
        async with self.opened(tmp_path) as (journal, fence):
            batch = Batch(
                rows=[*rows("a", b"a0"), *rows("b", b"b0")],
                launches=[record("a"), record("b", at=2.0)],
                phases=[Ended("b", "SUCCEEDED", 5.0)],
                closures={"sha256:c": b"body"},
            )
            await journal.append(batch, fence)
            assert await journal.closure("sha256:c") == b"body"
            assert await journal.closure("sha256:d") is None
            assert await journal.record("a") == record("a")
            ended = await journal.record("b")
            assert ended is not None
            assert (ended.phase, ended.ended_at) == ("SUCCEEDED", 5.0)
            assert await journal.record("c") is None

    async def test_more_rows_than_fit_one_statement(self, tmp_path: Path) -> None:
        """A batch may be large."""
        async with self.opened(tmp_path) as (journal, fence):
            many = rows("a", *(b"%d" % i for i in range(5001)))
            await journal.append(Batch(rows=many), fence)
            assert await journal.read("a") == many

    async def test_the_same_row_twice_is_refused_and_nothing_of_its_batch_is_there(self, tmp_path: Path) -> None:
        """A sequence number is used once."""
        async with self.opened(tmp_path) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0")), fence)
            for more in (Batch(), Batch(launches=[record("b")])):
                more.rows = [*rows("b", b"0"), *rows("a", b"other")]
                with pytest.raises(Exception):  # noqa: B017, PT011  # which one is the journal's own
                    await journal.append(more, fence)
            assert await journal.read("a") == rows("a", b"0")
            assert await journal.read("b") == []
            assert await journal.record("b") is None

    async def test_a_later_opener_shuts_an_earlier_one_out(self, tmp_path: Path) -> None:
        """Whatever it tries to write: rows, launches, phases or snapshots."""
        async with self.opened(tmp_path, "first") as (old, old_fence), self.opened(tmp_path, "second") as (new, fence):
            assert fence > old_fence
            await new.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
            for batch in (
                Batch(rows=rows("a", b"old", start=1)),
                Batch(launches=[record("b")]),
                Batch(phases=[Ended("a", "FAILED", 1.0)]),
                Batch(rows=rows("c", b"0"), launches=[record("c")]),
            ):
                with pytest.raises(FencedOut):
                    await old.append(batch, old_fence)
            with contextlib.suppress(FencedOut):
                await old.snapshot(Snapshot("a", 0, b"old"), old_fence)
            await new.append(Batch(rows=rows("a", b"1", start=1)), fence)
            assert await new.read("a") == rows("a", b"0", b"1")
            assert [r.execution for r in await new.records()] == ["a"]
            assert await new.latest("a") is None

    async def test_fences_grow_from_one_opening_to_the_next(self, tmp_path: Path) -> None:
        """Also when nothing was written."""
        fences = []
        for _ in range(3):
            async with self.opened(tmp_path) as (_, fence):
                fences.append(fence)
        assert fences == sorted(set(fences))

    async def test_records_are_listed_newest_first_and_in_pages(self, tmp_path: Path) -> None:
        """By whether they have ended, by launch key, and behind an id."""
        async with self.opened(tmp_path) as (journal, fence):
            names = [f"e{i}" for i in range(5)]
            launches = [record(n, key="even" if i % 2 == 0 else "odd") for i, n in enumerate(names)]
            batch = Batch(launches=launches, phases=[Ended("e4", "FAILED", 9.0)], rows=rows("e0", b"0"))
            await journal.append(batch, fence)

            async def listed(**what: object) -> list[str]:
                return [r.execution for r in await journal.records(**what)]  # type: ignore[arg-type]

            assert await listed() == ["e4", "e3", "e2", "e1", "e0"]
            assert await listed(live=True) == ["e3", "e2", "e1", "e0"]
            assert await listed(live=False) == ["e4"]
            assert await listed(launch_key="even", live=True) == ["e2", "e0"]
            assert await listed(limit=2) == ["e4", "e3"]
            assert await listed(limit=2, after="e3") == ["e2", "e1"]

    async def test_the_newest_snapshot_is_kept(self, tmp_path: Path) -> None:
        """One for each execution."""
        async with self.opened(tmp_path) as (journal, fence):
            assert await journal.latest("a") is None
            await journal.append(Batch(rows=rows("a", b"0", b"1")), fence)
            await journal.snapshot(Snapshot("a", 0, b"early"), fence)
            await journal.snapshot(Snapshot("a", 1, b"late"), fence)
            assert await journal.latest("a") == Snapshot("a", 1, b"late")

    async def test_an_append_that_is_cancelled_leaves_the_journal_whole(self, tmp_path: Path) -> None:
        """It took place or it did not; the next one works, whatever moment the cancellation came at."""
        async with self.opened(tmp_path) as (journal, fence):
            done = 0
            for turns in range(12):
                name = f"c{turns}"
                batch = Batch(rows=rows(name, *([b"x"] * 20)), launches=[record(name)])
                task = asyncio.create_task(journal.append(batch, fence))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await journal.append(Batch(rows=rows("after", b"y", start=done)), fence)
                done += 1
                assert len(await journal.read(name)) in (0, 20)
            async with self.opened(tmp_path, "other") as (other, _):
                assert len(await other.read("after")) == done

    async def test_closing_twice_is_closing(self, tmp_path: Path) -> None:
        """And nothing can be read after it."""
        async with self.opened(tmp_path) as (journal, fence):
            await journal.close()
            with pytest.raises(Exception):  # noqa: B017, PT011  # which one is the journal's own
                await journal.append(Batch(rows=rows("a", b"0")), fence)
