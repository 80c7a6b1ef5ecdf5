"""Catalogs with one fault each. `test_kit_catches.py` runs the kit on them: each class says which tests must fail."""

import asyncio
import contextlib
from pathlib import Path
from typing import ClassVar

from wingbeat.contracts.catalog import CacheEntry, CacheKey, Evicted, Explanation, Reserved
from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.catalog_trim import TrimContract
from wingbeat.testing.fakes import MemoryCatalog
from wingbeat_catalog import SqliteCatalog


class Broken(CatalogContract):
    shared = False
    Faulty: ClassVar[type[SqliteCatalog]]
    caught_by: ClassVar[set[str]]

    def make(self, home, clock):
        return self.Faulty(Path(home.path, "catalog.sqlite"), clock=clock)


class TestLosesReservations(Broken):
    caught_by: ClassVar[set[str]] = {
        "test_a_reservation_is_granted_to_the_first_and_named_to_the_others",
        "test_of_many_who_ask_at_once_exactly_one_is_granted",
    }

    class Faulty(SqliteCatalog):
        async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
            return Reserved(owner, self._clock() + seconds)


class TestChecksThenSets(Broken):
    caught_by: ClassVar[set[str]] = {"test_of_many_who_ask_at_once_exactly_one_is_granted"}

    class Faulty(SqliteCatalog):
        held: ClassVar[dict[tuple[int, str], Reserved]] = {}

        async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
            found = self.held.get((id(self), key.digest))
            await asyncio.sleep(0)
            if found is None or found.owner == owner:
                self.held[id(self), key.digest] = found = Reserved(owner, self._clock() + seconds)
            return found


class TestReservationsNeverEnd(Broken):
    caught_by: ClassVar[set[str]] = {"test_a_reservation_ends_with_its_time"}

    class Faulty(SqliteCatalog):
        async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
            return await super().reserve(key, owner, seconds + 1e9)


class TestReleasesForAnybody(Broken):
    caught_by: ClassVar[set[str]] = {"test_a_reservation_is_given_back_by_its_owner_only"}

    class Faulty(SqliteCatalog):
        async def release(self, key: CacheKey, owner: str) -> None:
            await self._write("DELETE FROM reservations WHERE digest = ?", (key.digest,))


class TestKeepsReservationsAfterPublishing(Broken):
    caught_by: ClassVar[set[str]] = {"test_publishing_ends_the_reservation_of_the_node_that_computed_it"}

    class Faulty(SqliteCatalog):
        async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
            owner = entry.source.rpartition("/")[0]
            held = await self._all("SELECT until FROM reservations WHERE owner = ?", (owner,))
            await super().publish(entry, overwrite=overwrite)
            for (until,) in held:
                await self.reserve(entry.key, owner, until - self._clock())


class TestAnswersWithAForeignKey(Broken):
    caught_by: ClassVar[set[str]] = {"test_only_the_very_key_is_answered"}

    class Faulty(SqliteCatalog):
        async def lookup(self, key: CacheKey) -> CacheEntry | None:
            rows = await self._all("SELECT digest FROM entries WHERE task = ? LIMIT 1", (key.task,))
            other = CacheKey(rows[0][0] if rows else key.digest, key.task, key.version, key.interface, key.inputs)
            return await super().lookup(other)


class TestLastOneWins(Broken):
    caught_by: ClassVar[set[str]] = {"test_the_first_publication_wins"}

    class Faulty(SqliteCatalog):
        async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
            await super().publish(entry, overwrite=True)


class TestNeverOverwrites(Broken):
    caught_by: ClassVar[set[str]] = {"test_overwriting_replaces"}

    class Faulty(SqliteCatalog):
        async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
            await super().publish(entry)


class TestIgnoresExpiry(Broken):
    caught_by: ClassVar[set[str]] = {
        "test_an_expired_entry_is_not_found",
        "test_an_expired_entry_is_not_in_the_way_of_a_new_one",
        "test_an_entry_that_expired_is_explained",
    }

    class Faulty(SqliteCatalog):
        async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
            kept = CacheEntry(entry.key, entry.outputs, entry.source, entry.created_at, None, entry.size)
            await super().publish(kept, overwrite=overwrite)


class TestForgetsWhenClosed(Broken):
    caught_by: ClassVar[set[str]] = {"test_a_new_object_knows_what_was_kept"}

    class Faulty(SqliteCatalog):
        async def close(self) -> None:
            await super().close()
            self._path.unlink(missing_ok=True)


class TestEvictsTheOldestInstead(Broken):
    caught_by: ClassVar[set[str]] = {"test_the_least_recently_used_are_evicted_by_size"}

    class Faulty(SqliteCatalog):
        async def _write_used(self) -> None:
            self._used.clear()


class TestEvictsEverythingWhenAskedForNothing(Broken):
    caught_by: ClassVar[set[str]] = {"test_eviction_of_nothing_in_particular_removes_nothing"}

    class Faulty(SqliteCatalog):
        async def evict(
            self,
            *,
            digest: str | None = None,
            task: str | None = None,
            older_than_s: float | None = None,
            size_max: int | None = None,
        ) -> Evicted:
            if all(given is None for given in (digest, task, older_than_s, size_max)):
                older_than_s = -1.0
            return await super().evict(digest=digest, task=task, older_than_s=older_than_s, size_max=size_max)


class TestExplainsWithTheLatest(Broken):
    caught_by: ClassVar[set[str]] = {"test_the_input_that_differs_is_named"}

    class Faulty(SqliteCatalog):
        async def explain(self, key: CacheKey) -> Explanation:
            found = await super().explain(key)
            return found if found.hit else Explanation(False, "no such entry", ("something differs",))


class TestLosesACancelledTransaction(Broken):
    caught_by: ClassVar[set[str]] = {"test_a_cancelled_call_leaves_nothing_half_done"}

    class Faulty(SqliteCatalog):
        async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
            assert self._connection is not None
            if not self._connection.in_transaction:
                await self._all("BEGIN", ())
            await super().publish(entry, overwrite=overwrite)
            await self._all("COMMIT", ())

        async def close(self) -> None:
            with contextlib.suppress(Exception):
                await super().close()


class BrokenTrim(TrimContract):
    Faulty: ClassVar[type[SqliteCatalog]]
    caught_by: ClassVar[set[str]]

    def make(self, home, clock):
        return self.Faulty(Path(home.path, "catalog.sqlite"), clock=clock)


class TestTrimsWhatIsReserved(BrokenTrim):
    caught_by: ClassVar[set[str]] = {"test_what_is_reserved_now_stays"}

    class Faulty(SqliteCatalog):
        async def trim(self, unused_s: float, limit: int) -> Evicted:
            await self._write("DELETE FROM reservations", ())
            return await super().trim(unused_s, limit)


class TestTrimsByAgeAlone(BrokenTrim):
    caught_by: ClassVar[set[str]] = {"test_what_was_asked_for_stays", "test_uses_outlive_the_object"}

    class Faulty(SqliteCatalog):
        def _note_used(self, db):
            self._used = {}


class TestNotesUsesWhenItHasAnswered(BrokenTrim):
    caught_by: ClassVar[set[str]] = {"test_who_finds_an_entry_while_others_go_finds_it_again"}

    class Faulty(SqliteCatalog):
        def _look(self, db, digest, now):
            row = super()._look(db, digest, now)
            self._used.pop(digest, None)
            return row

        async def lookup(self, key: CacheKey) -> CacheEntry | None:
            entry = await super().lookup(key)
            self._used[key.digest] = self._clock()
            return entry


class TestDoesNotLetGo(Broken):
    patience_s = 1.0
    caught_by: ClassVar[set[str]] = {
        "test_a_call_lets_itself_be_cancelled",
        "test_a_cancelled_call_leaves_nothing_half_done",
    }

    def make(self, home, clock):
        return self.Faulty()

    class Faulty(MemoryCatalog):
        async def lookup(self, key: CacheKey) -> CacheEntry | None:
            task, asked = asyncio.current_task(), False
            while not asked:
                try:
                    await asyncio.sleep(0)
                    asked = task is not None and not task.cancelling()
                except asyncio.CancelledError:  # "the connection was reset": once more
                    continue
            return await super().lookup(key)
