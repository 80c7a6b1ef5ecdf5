"""What every journal must do. Derive one test class and say how a journal is made::

    class TestMyJournal(JournalContract):
        def make(self, home: Home) -> Journal:
            return MyJournal(home.path)

Two journals made in the same home must see the same content.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from wingbeat.base.errors import NotFound, WingbeatError
from wingbeat.contracts.journal import Batch, Change, Ended, FencedOut, Journal, Record, Row, Snapshot, StorageFull
from wingbeat.testing.conformance.journal_model import run_model
from wingbeat.testing.conformance.kit import Kit, held
from wingbeat.testing.home import TemporaryHome


def record(name: str, *, key: str = "", at: float = 1.0) -> Record:
    """An execution that runs."""
    return Record(name, "sha256:c", "module.workflow", b"inputs", key, at, "RUNNING", labels={"team": "eta"})


def rows(name: str, *bodies: bytes, start: int = 0) -> list[Row]:
    """Rows of an execution, numbered from `start`."""
    return [Row(name, start + i, body) for i, body in enumerate(bodies)]


class JournalContract(Kit):
    """The contract of `wingbeat.contracts.journal.Journal` as tests.

    Attributes:
        examples: So many random stories are told in the test against a model.
    """

    examples: ClassVar[int] = 25

    def make(self, home: TemporaryHome) -> Journal:
        """A journal in `home`, not opened yet."""
        raise NotImplementedError(f"{type(self).__name__} has to say how a journal is made: def make(self, home)")

    def full(self, journal: Journal) -> contextlib.AbstractAsyncContextManager[None] | None:
        """While entered, `journal`, which is open, has no room for what is not small; None where that cannot be brought about."""
        return None

    @contextlib.asynccontextmanager
    async def opened(self, home: TemporaryHome, owner: str = "me") -> AsyncIterator[tuple[Journal, int]]:
        """A journal that is open, and its fence."""
        journal = self.make(home)
        fence = await journal.open(owner)
        try:
            yield journal, fence
        finally:
            await journal.close()

    async def test_a_call_lets_itself_be_cancelled(self, home: TemporaryHome) -> None:
        """Every call, when it took too long: what does not end then is left behind, and its engine stops."""
        names, journal = map("c{}".format, itertools.count()), cast(Any, self.make(home))
        fence = await journal.open("me")
        try:
            await self.lets_go("append", lambda: journal.append(Batch(launches=[record(next(names))]), fence))
            for call in ("records", "changes"):
                await self.lets_go(call, getattr(journal, call))
            for call in ("read", "record", "latest", "closure"):
                await self.lets_go(call, functools.partial(getattr(journal, call), "c0"))
        finally:
            await self.lets_close(journal.close)

    # Answers

    async def test_answers_are_of_the_declared_types(self, home: TemporaryHome) -> None:
        """A number from `open`, nothing from what writes, and what the contract says from what reads."""
        journal = self.make(home)
        try:
            await self._look_at_answers(journal)
        finally:
            await journal.close()

    async def _look_at_answers(self, journal: Any) -> None:
        fence = await journal.open("me")
        assert type(fence) is int, f"open answers with {fence!r}, which is no number"
        batch = Batch(rows=rows("a", b"0"), launches=[record("a")], closures={"sha256:c": b"closure"})
        wrote = [await journal.append(batch, fence), await journal.snapshot(Snapshot("a", 0, b"state"), fence)]
        lists = {
            "records": (await journal.records(), Record),
            "changes": (await journal.changes(), Change),
            "read": (await journal.read("a"), Row),
        }
        for call, (answer, kind) in lists.items():
            assert isinstance(answer, list), f"{call} answers with {answer!r}, which is no list"
            assert {type(each) for each in answer} == {kind}, (
                f"{call} answers with {answer!r}: {kind.__name__} are expected"
            )
        assert type(await journal.record("a")) is Record
        assert type(await journal.latest("a")) is Snapshot
        assert type(await journal.closure("sha256:c")) is bytes
        assert [await journal.record("b"), await journal.latest("b"), await journal.closure("b")] == [None] * 3
        assert [*wrote, await journal.close()] == [None] * 3

    # Reading beside whoever writes

    async def test_a_reader_sees_what_was_and_what_is_committed(self, home: TemporaryHome) -> None:
        """`open_to_read`: beside whoever writes; what is committed later is read as well."""
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
            reader = self.make(home)
            await reader.open_to_read()
            try:
                assert [row.body for row in await reader.read("a")] == [b"0"]
                await journal.append(Batch(rows=rows("a", b"1", start=1)), fence)
                assert [row.body for row in await reader.read("a")] == [b"0", b"1"]
                assert [found.execution for found in await reader.records()] == ["a"]
            finally:
                await reader.close()
            await journal.append(Batch(rows=rows("a", b"2", start=2)), fence)
            assert len(await journal.read("a")) == 3, "the fence of the writer is good still"
        reader = self.make(home)
        await reader.open_to_read()
        try:
            assert len(await reader.read("a")) == 3, "nobody has to write for somebody to read"
        finally:
            await reader.close()

    async def test_a_reader_writes_nothing(self, home: TemporaryHome) -> None:
        """`open_to_read`: what would write raises, and writes nothing."""
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
        reader = self.make(home)
        await reader.open_to_read()
        try:
            for number in (fence, fence + 1, -1):
                with pytest.raises(WingbeatError):
                    await reader.append(Batch(rows=rows("a", b"1", start=1)), number)
            assert len(await reader.read("a")) == 1
        finally:
            await reader.close()

    async def test_where_nothing_was_written_nothing_is_read_or_made(self, home: TemporaryHome) -> None:
        """`open_to_read` raises `NotFound` if nothing was written there, and makes nothing."""
        before = sorted(os.listdir(home.path))
        reader = self.make(home)
        with pytest.raises(NotFound):
            await reader.open_to_read()
        await reader.close()
        assert sorted(os.listdir(home.path)) == before

    # What was written is read

    async def test_what_was_appended_is_read_in_order(self, home: TemporaryHome) -> None:
        """`read`: in order, behind any row, by whoever opens it next. `append`: what it returned from stays."""
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0", b"1"), launches=[record("a")]), fence)
            await journal.append(Batch(rows=rows("a", b"2", start=2)), fence)
            assert [r.body for r in await journal.read("a")] == [b"0", b"1", b"2"]
            assert [r.sequence for r in await journal.read("a", 0)] == [1, 2]
        async with self.opened(home) as (journal, _):
            assert await journal.read("a") == rows("a", b"0", b"1", b"2")
            assert await journal.read("unknown") == []

    async def test_rows_are_in_order_of_their_numbers(self, home: TemporaryHome) -> None:
        """`read`: in order, also of more than ten and of batches that hold several executions."""
        async with self.opened(home) as (journal, fence):
            for start in range(0, 120, 6):
                both = zip(rows("a", *[b"a"] * 6, start=start), rows("b", *[b"b"] * 6, start=start), strict=True)
                await journal.append(Batch(rows=[row for pair in both for row in pair]), fence)
            for name in ("a", "b"):
                assert [row.sequence for row in await journal.read(name)] == list(range(120))
                assert [row.sequence for row in await journal.read(name, 99)] == list(range(100, 120))

    @pytest.mark.parametrize("body", [b"", b"\0\xff" * 50, os.urandom(2**20)], ids=["empty", "binary", "large"])
    async def test_bodies_are_any_bytes(self, home: TemporaryHome, body: bytes) -> None:
        """Rows are opaque; so are snapshots, closures and inputs."""
        async with self.opened(home) as (journal, fence):
            launch = Record("a", "sha256:c", "m.w", body, "ключ", 1.5, "RUNNING", labels={"ü": "🐦"})
            await journal.append(Batch(rows=rows("a", body), launches=[launch], closures={"sha256:c": body}), fence)
            await journal.snapshot(Snapshot("a", 0, body), fence)
        async with self.opened(home) as (journal, _):
            assert await journal.read("a") == rows("a", body)
            assert await journal.record("a") == launch
            assert await journal.closure("sha256:c") == body
            assert await journal.latest("a") == Snapshot("a", 0, body)

    async def test_a_batch_holds_many_executions_and_all_kinds(self, home: TemporaryHome) -> None:
        """`Batch`: rows, launches, phases and closures of one commit are there together."""
        async with self.opened(home) as (journal, fence):
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

    async def test_more_rows_than_fit_one_statement(self, home: TemporaryHome) -> None:
        """`Batch`: may be large, and is whole."""
        async with self.opened(home) as (journal, fence):
            many = rows("a", *(b"%d" % i for i in range(5001)))
            await journal.append(Batch(rows=many), fence)
            assert await journal.read("a") == many

    async def test_the_same_row_twice_is_refused_and_nothing_of_its_batch_is_there(self, home: TemporaryHome) -> None:
        """`Batch`: together or not at all. A sequence number is used once."""
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0")), fence)
            for more in (Batch(), Batch(launches=[record("b")], closures={"sha256:x": b"x"})):
                more.rows = [*rows("b", b"0"), *rows("a", b"other")]
                with pytest.raises(Exception) as told:  # noqa: PT011  # which one is the journal's own
                    await journal.append(more, fence)
                assert not isinstance(told.value, StorageFull | FencedOut), (
                    "it would be tried again, or taken for a takeover"
                )
            assert await journal.read("a") == rows("a", b"0")
            assert await journal.read("b") == []
            assert await journal.record("b") is None
            assert await journal.closure("sha256:x") is None

    async def test_an_execution_is_launched_once(self, home: TemporaryHome) -> None:
        """`Record`: `inputs` and `closure` never change after the launch."""
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
            with pytest.raises(Exception) as told:  # noqa: PT011  # which one is the journal's own
                await journal.append(Batch(rows=rows("a", b"1", start=1), launches=[record("a", at=9.0)]), fence)
            assert not isinstance(told.value, StorageFull | FencedOut), (
                "it would be tried again, or taken for a takeover"
            )
            assert await journal.record("a") == record("a")
            assert await journal.read("a") == rows("a", b"0")

    async def test_a_closure_that_is_there_may_come_again(self, home: TemporaryHome) -> None:
        """`Batch.closures`: executions share them."""
        async with self.opened(home) as (journal, fence):
            for name in ("a", "b"):
                await journal.append(
                    Batch(rows=rows(name, b"0"), launches=[record(name)], closures={"sha256:c": b"c"}), fence
                )
            assert await journal.closure("sha256:c") == b"c"

    # Fences

    async def test_a_later_opener_shuts_an_earlier_one_out(self, home: TemporaryHome) -> None:
        """`append`: raises `FencedOut` for rows, launches and phases alike, and nothing was written; `snapshot` keeps nothing."""
        async with self.opened(home, "first") as (old, old_fence), self.opened(home, "second") as (new, fence):
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
            assert (await new.records())[0].phase == "RUNNING"
            assert await new.latest("a") is None

    async def test_only_the_newest_fence_is_good(self, home: TemporaryHome) -> None:
        """`append`: the check is of `fence`, whoever brings it: neither one of before nor one that was never given."""
        async with self.opened(home) as (_, before):
            pass
        async with self.opened(home) as (journal, fence):
            for other in (before, fence + 1, -1):
                with pytest.raises(FencedOut):
                    await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), other)
            assert await journal.records() == []
            await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)

    async def test_fences_grow_from_one_opening_to_the_next(self, home: TemporaryHome) -> None:
        """`open`: takes the next fence, also when nothing was written."""
        fences = []
        for _ in range(3):
            async with self.opened(home) as (_, fence):
                fences.append(fence)
        assert fences == sorted(set(fences))

    # Listing

    async def test_records_are_listed_newest_first_and_in_pages(self, home: TemporaryHome) -> None:
        """`records`: by whether they have ended, by launch key, and behind an id."""
        async with self.opened(home) as (journal, fence):
            names = [f"e{i}" for i in range(5)]
            launches = [record(n, key="even" if i % 2 == 0 else "odd") for i, n in enumerate(names)]
            batch = Batch(launches=launches, phases=[Ended("e4", "FAILED", 9.0)], rows=rows("e0", b"0"))
            await journal.append(batch, fence)

            async def listed(**what: Any) -> list[str]:
                return [r.execution for r in await journal.records(**what)]

            assert await listed() == ["e4", "e3", "e2", "e1", "e0"]
            assert await listed(live=True) == ["e3", "e2", "e1", "e0"]
            assert await listed(live=False) == ["e4"]
            assert await listed(launch_key="even", live=True) == ["e2", "e0"]
            assert await listed(limit=2) == ["e4", "e3"]
            assert await listed(limit=2, after="e3") == ["e2", "e1"]

    async def test_every_execution_that_has_not_ended_is_found_after_opening(self, home: TemporaryHome) -> None:
        """`open`: from then on `records(live=True)` gives every execution that has not ended, whatever number it is asked for."""
        async with self.opened(home) as (journal, fence):
            names = [f"e{i}" for i in range(250)]
            await journal.append(Batch(launches=[record(name) for name in names], rows=rows("e0", b"0")), fence)
            ended = [Ended(name, "SUCCEEDED", 2.0) for name in names[::2]]
            await journal.append(Batch(phases=ended, rows=rows("e0", b"1", start=1)), fence)
        async with self.opened(home) as (journal, _):
            assert {r.execution for r in await journal.records(live=True, limit=10**9)} == set(names[1::2])

    async def test_changes_are_told_behind_any_number(self, home: TemporaryHome) -> None:
        """`changes`: launches and changes of phases, in their order, each execution once, as it is now."""
        async with self.opened(home) as (journal, fence):
            assert await journal.changes() == []
            await journal.append(
                Batch(rows=rows("a", b"0") + rows("b", b"0"), launches=[record("a"), record("b")]), fence
            )
            first = await journal.changes()
            assert [change.record.execution for change in first] == ["a", "b"]
            assert 0 < first[0].number < first[1].number
            assert await journal.changes(first[1].number) == []
            assert [change.record.execution for change in await journal.changes(first[0].number)] == ["b"]
            await journal.append(Batch(rows=rows("b", b"1", start=1), phases=[Ended("b", "SUCCEEDED", 7.0)]), fence)
            (ended,) = await journal.changes(first[1].number)
            assert (ended.record.execution, ended.record.phase, ended.record.ended_at) == ("b", "SUCCEEDED", 7.0)
            await journal.append(Batch(rows=rows("a", b"1", start=1)), fence)
            assert await journal.changes(ended.number) == [], "neither a launch nor a phase"
            await journal.append(Batch(rows=rows("a", b"2", start=2), phases=[Ended("a", "FAILED", 8.0)]), fence)
        async with self.opened(home) as (journal, fence):
            await journal.append(Batch(rows=rows("c", b"0"), launches=[record("c")]), fence)
            every = await journal.changes()
            assert [change.record.execution for change in every] == ["b", "a", "c"]
            assert [change.record.phase for change in await journal.changes(every[0].number, 1)] == ["FAILED"]

    async def test_no_change_is_missed_while_it_is_written(self, home: TemporaryHome) -> None:
        """`changes`: who goes on behind the last number that it was told misses no execution and no end."""
        async with self.opened(home) as (journal, fence):
            names, told = [f"e{n}" for n in range(40)], {}

            async def write() -> None:
                for name in names:
                    await journal.append(Batch(rows=rows(name, b"0"), launches=[record(name)]), fence)
                    await journal.append(
                        Batch(rows=rows(name, b"1", start=1), phases=[Ended(name, "SUCCEEDED", 2.0)]), fence
                    )

            writing, last = asyncio.create_task(write()), 0
            while not writing.done() or await journal.changes(last, 1):
                for change in await journal.changes(last, 3):
                    assert change.number > last
                    last, told[change.record.execution] = change.number, change.record.phase
                await asyncio.sleep(0)
            await writing
            assert told == dict.fromkeys(names, "SUCCEEDED")

    async def test_the_newest_snapshot_is_kept(self, home: TemporaryHome) -> None:
        """`snapshot`: replaces the earlier one; the rows stay."""
        async with self.opened(home) as (journal, fence):
            assert await journal.latest("a") is None
            await journal.append(Batch(rows=rows("a", b"0", b"1")), fence)
            await journal.snapshot(Snapshot("a", 0, b"early"), fence)
            await journal.snapshot(Snapshot("a", 1, b"late"), fence)
            assert await journal.latest("a") == Snapshot("a", 1, b"late")
            assert await journal.latest("b") is None
            assert len(await journal.read("a")) == 2

    # Trouble

    async def test_an_append_that_is_cancelled_leaves_the_journal_whole(self, home: TemporaryHome) -> None:
        """`append`, cancelled: it took place or it did not; the next one works, whatever moment the cancellation came at."""
        async with self.opened(home) as (journal, fence):
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
        async with self.opened(home, "other") as (other, _):
            assert len(await other.read("after")) == done

    def test_a_kill_loses_nothing_that_was_acknowledged(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`append`: returns when it is durable; a batch is whole, also of a process that is killed while it writes."""
        said = tmp_path / "acknowledged"

        async def life() -> None:
            journal = self.make(home)
            fence = await journal.open("victim")
            with said.open("ab", buffering=0) as file:
                for number in itertools.count():
                    batch = Batch(launches=[record(f"a{number}"), record(f"b{number}")])
                    batch.rows = [*rows(f"a{number}", *[b"0"] * 20), *rows(f"b{number}", b"0")]
                    await journal.append(batch, fence)
                    file.write(b"x")

        async def check() -> None:
            acknowledged = said.stat().st_size
            async with asyncio.timeout(self.patience_s), self.opened(home) as (journal, _):
                names = {r.execution for r in await journal.records(limit=10**6)}
                assert {f"{letter}{n}" for letter in "ab" for n in range(acknowledged)} <= names
                for number in range(acknowledged + 1):
                    a, b = len(await journal.read(f"a{number}")), len(await journal.read(f"b{number}"))
                    assert (a, b) == ((20, 1) if f"a{number}" in names else (0, 0))

        self.crash(life, lambda: said.exists() and said.stat().st_size >= 12)
        asyncio.run(check())

    async def test_a_full_store_is_told_and_nothing_was_written(self, home: TemporaryHome) -> None:
        """`append`: raises `StorageFull`, nothing was written; it goes on when there is room. Where `full` says how."""
        async with self.opened(home) as (journal, fence):
            while_full = self.full(journal)
            if while_full is None:
                pytest.skip("it cannot be filled: override full()")
            await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
            big = [*rows("a", *[os.urandom(2**20)] * 8, start=1)]
            async with while_full:
                for batch in (Batch(rows=big), Batch(rows=big, launches=[record("b")])):
                    with pytest.raises(StorageFull):
                        await journal.append(batch, fence)
                with contextlib.suppress(StorageFull):
                    await journal.snapshot(Snapshot("a", 0, os.urandom(2**23)), fence)
                assert await journal.read("a") == rows("a", b"0"), "reading goes on"
                assert await journal.record("b") is None
            await journal.append(Batch(rows=big), fence)
            assert len(await journal.read("a")) == 9

    # Load

    async def test_many_calls_at_once_are_all_answered(self, home: TemporaryHome) -> None:
        """Reads and writes from many tasks at once: each append is whole, each read sees whole batches."""
        async with self.opened(home) as (journal, fence):

            async def write(number: int) -> None:
                name = f"e{number}"
                await journal.append(Batch(rows=rows(name, b"0", b"1"), launches=[record(name)]), fence)

            async def look(number: int) -> None:
                found = await journal.read(f"e{number}")
                assert len(found) in (0, 2)
                assert await journal.record(f"e{number}") in (None, record(f"e{number}"))

            await asyncio.gather(*(call(n) for n in range(200) for call in (write, look)))
            assert len(await journal.records(limit=1000)) == 200
            assert [len(await journal.read(f"e{n}")) for n in range(200)] == [2] * 200

    async def test_nothing_is_left_open(self, home: TemporaryHome) -> None:
        """`close`: lets go of everything."""
        counts = []
        for life in range(4):
            async with self.opened(home) as (journal, fence):
                await journal.append(Batch(rows=rows(f"e{life}", b"0"), launches=[record(f"e{life}")]), fence)
            counts.append(held())
        await self.closed(counts[1], counts)  # the first may open what stays

    async def test_closing_twice_is_closing(self, home: TemporaryHome) -> None:
        """`close`, called again: fine; also before it was opened. Nothing can be written after it."""
        await self.make(home).close()
        async with self.opened(home) as (journal, fence):
            await journal.close()
            with pytest.raises(Exception):  # noqa: B017, PT011  # which one is the journal's own
                await journal.append(Batch(rows=rows("a", b"0")), fence)

    def test_it_behaves_like_a_list_of_rows(self, home: TemporaryHome, tmp_path: Path) -> None:
        """Any appends, ends, snapshots and openings, against a model that keeps all of it in memory."""
        numbers = itertools.count()

        def place() -> Callable[[], Journal]:
            return functools.partial(self.make, self.another_home(tmp_path, f"m{next(numbers)}"))

        run_model(place, self.examples)
