"""Journals with one fault each; see `test_kits_catch.py`."""

import asyncio
import contextlib
from pathlib import Path

import test_sqlite as sqlite
from msgspec.structs import replace

from wingbeat.base.errors import WingbeatError
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.journal import Batch, FencedOut, StorageFull
from wingbeat.testing.conformance.journal import JournalContract


class Broken(JournalContract):
    __test__ = False
    examples, patience_s = 4, 6.0
    full = sqlite.TestSQLiteJournal.full

    def make(self, home):
        return self.Faulty(Path(home.path, "journal.sqlite"))


class TestIgnoresTheFence(Broken):
    __test__ = True
    caught_by = {
        "test_a_later_opener_shuts_an_earlier_one_out",
        "test_only_the_newest_fence_is_good",
    }
    perhaps = {"test_it_behaves_like_a_list_of_rows"}

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            ((fence,),) = await self._select("SELECT value FROM meta WHERE key = 'fence'", ())
            await super().append(batch, fence)


class TestAnswersWithTuples(Broken):
    __test__ = True
    caught_by = {"test_answers_are_of_the_declared_types", "test_changes_are_told_behind_any_number"}

    class Faulty(SQLiteJournal):
        async def changes(self, *asked, **named):
            return tuple(await super().changes(*asked, **named))


class TestTakesARowThatIsThereForAFullDisk(Broken):
    __test__ = True
    caught_by = {
        "test_the_same_row_twice_is_refused_and_nothing_of_its_batch_is_there",
        "test_an_execution_is_launched_once",
    }

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            try:
                await super().append(batch, fence)
            except FencedOut:
                raise
            except WingbeatError as error:
                raise StorageFull(error.message) from error


class TestLosesTheLastRowOfALargeBatch(Broken):
    __test__ = True
    caught_by = {"test_more_rows_than_fit_one_statement"}

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            kept = batch.rows[:-1] if len(batch.rows) > 2000 else batch.rows
            await super().append(Batch(kept, batch.launches, batch.phases, batch.closures), fence)


class TestCommitsLaunchesApartFromRows(Broken):
    __test__ = True
    caught_by = {
        "test_the_same_row_twice_is_refused_and_nothing_of_its_batch_is_there",
        "test_a_full_store_is_told_and_nothing_was_written",
    }
    perhaps = {"test_a_kill_loses_nothing_that_was_acknowledged", "test_many_calls_at_once_are_all_answered"}

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            if batch.launches and batch.rows:
                await super().append(Batch([], batch.launches, batch.phases, batch.closures), fence)
                batch = Batch(batch.rows)
            await super().append(batch, fence)


class TestSortsRowsAsText(Broken):
    __test__ = True
    caught_by = {"test_rows_are_in_order_of_their_numbers", "test_more_rows_than_fit_one_statement"}

    class Faulty(SQLiteJournal):
        async def read(self, execution, after=-1):
            return sorted(await super().read(execution, after), key=lambda row: str(row.sequence))


class TestSaysNothingOfAFullStore(Broken):
    __test__ = True
    caught_by = {"test_a_full_store_is_told_and_nothing_was_written"}

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            with contextlib.suppress(StorageFull):
                await super().append(batch, fence)


class TestWritesWhenItIsClosed(Broken):
    __test__ = True
    caught_by = {"test_a_kill_loses_nothing_that_was_acknowledged"}

    class Faulty(SQLiteJournal):
        later = ()

        async def append(self, batch, fence):
            if batch.rows and batch.rows[0].execution.startswith("a") and len(batch.rows) == 21:
                self.later = [*self.later, (batch, fence)]
            else:
                await super().append(batch, fence)

        async def close(self):
            for batch, fence in self.later:
                await super().append(batch, fence)
            await super().close()


class TestKeepsTheSnapshotOfAnybody(Broken):
    __test__ = True
    caught_by = {"test_a_later_opener_shuts_an_earlier_one_out"}

    class Faulty(SQLiteJournal):
        async def snapshot(self, snapshot, fence):
            ((fence,),) = await self._select("SELECT value FROM meta WHERE key = 'fence'", ())
            await super().snapshot(snapshot, fence)


class TestGivesTheSameFenceAgain(Broken):
    __test__ = True
    caught_by = {
        "test_a_later_opener_shuts_an_earlier_one_out",
        "test_only_the_newest_fence_is_good",
        "test_fences_grow_from_one_opening_to_the_next",
    }
    perhaps = {"test_it_behaves_like_a_list_of_rows"}

    class Faulty(SQLiteJournal):
        async def open(self, owner):
            await super().open(owner)
            await self._connection.execute("UPDATE meta SET value = 1 WHERE key = 'fence'")
            return 1


class TestListsAtMostAHundred(Broken):
    __test__ = True
    caught_by = {
        "test_every_execution_that_has_not_ended_is_found_after_opening",
        "test_many_calls_at_once_are_all_answered",
    }

    class Faulty(SQLiteJournal):
        async def records(self, *, live=None, launch_key=None, after="", limit=100):
            return await super().records(live=live, launch_key=launch_key, after=after, limit=min(limit, 100))


class TestForgetsLabels(Broken):
    __test__ = True
    caught_by = {
        "test_bodies_are_any_bytes",
        "test_a_batch_holds_many_executions_and_all_kinds",
        "test_an_execution_is_launched_once",
        "test_many_calls_at_once_are_all_answered",
    }

    class Faulty(SQLiteJournal):
        async def record(self, execution):
            found = await super().record(execution)
            return found and replace(found, labels={})


class TestDoesNotLetGo(Broken):
    __test__ = True
    patience_s = 2.0
    caught_by = {"test_a_call_lets_itself_be_cancelled", "test_an_append_that_is_cancelled_leaves_the_journal_whole"}

    class Faulty(SQLiteJournal):
        async def append(self, batch, fence):
            written = False
            while not written:
                try:
                    await asyncio.sleep(0)
                    written = not asyncio.current_task().cancelling()
                except asyncio.CancelledError:  # "the database was locked": once more
                    continue
            await super().append(batch, fence)
