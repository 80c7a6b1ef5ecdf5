"""What every catalog must do. Derive one test class and say how a catalog is made::

    class TestMyCatalog(CatalogContract):
        def make(self, home: Home, clock: Callable[[], float]) -> Catalog:
            return MyCatalog(home.path, clock=clock)

Two catalogs made in the same home must have the same content. One that goes by the machine's clock says ``injects_clock = False``;
what needs time to pass is skipped then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from wingbeat.base.ids import digest
from wingbeat.contracts.catalog import CacheEntry, CacheKey, Catalog, Evicted, Explanation, Reserved
from wingbeat.spec.literal import Inline, Literals, Offloaded
from wingbeat.testing.conformance.catalog_model import run_model
from wingbeat.testing.conformance.catalog_samples import ManualClock, make_entry, make_key
from wingbeat.testing.conformance.kit import Kit, held
from wingbeat.testing.home import TemporaryHome


async def is_there(catalog: Catalog, *keys: CacheKey) -> list[bool]:
    """Whether each key has an entry."""
    return [await catalog.lookup(key) is not None for key in keys]


async def value_of(catalog: Catalog, key: CacheKey) -> Any:
    """The value that `make_entry` published under a key."""
    entry = await catalog.lookup(key)
    assert entry is not None
    (literal,) = entry.outputs.values()
    assert isinstance(literal, Inline)
    return literal.value


async def cancel_calls(catalog: Catalog, key: CacheKey, turns: int) -> None:
    """Call everything at once, and cancel it after so many turns of the event loop."""
    calls: list[Coroutine[Any, Any, Any]] = [
        catalog.publish(make_entry(key)),
        catalog.reserve(key, "x1/n0", 30),
        catalog.lookup(key),
        catalog.evict(task="m.none"),
    ]
    tasks = [asyncio.ensure_future(call) for call in calls]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def opened(catalog: Catalog) -> AsyncIterator[Catalog]:
    """The catalog, open."""
    await catalog.start()
    try:
        yield catalog
    finally:
        await catalog.close()


class CatalogContract(Kit):
    """The contract of `wingbeat.contracts.catalog.Catalog` as tests.

    Attributes:
        injects_clock: The catalog goes by the clock that `make` is given. Where it does not, what needs time to pass is skipped.

        shared: Several objects may be open on one state at once.

        examples: So many random stories are told in the test against a model.
    """

    injects_clock: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    examples: ClassVar[int] = 40

    def make(self, home: TemporaryHome, clock: Callable[[], float]) -> Catalog:
        """A catalog, not started, that keeps its state in `home` (another home is another state) and asks that clock."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say how a catalog is made: def make(self, home, clock)"
        )

    @pytest.fixture
    def clock(self) -> ManualClock:
        """What time it is."""
        return ManualClock()

    @pytest.fixture
    async def catalog(self, home: TemporaryHome, clock: ManualClock) -> AsyncIterator[Catalog]:
        """An open catalog that is empty."""
        async with opened(self.make(home, clock)) as made:
            yield made

    def advance(self, clock: ManualClock, seconds: float) -> None:
        """Let time pass, or skip the test."""
        if not self.injects_clock:
            pytest.skip("this catalog has a clock of its own")
        clock.now += seconds

    async def test_a_call_lets_itself_be_cancelled(self, home: TemporaryHome, clock: ManualClock) -> None:
        """Every call, when it took too long: what does not end then is left behind, and the catalog asked for nothing more."""
        key, catalog = make_key(x=1), cast(Any, self.make(home, clock))
        await catalog.start()
        try:
            for what, call in (
                ("lookup", lambda: catalog.lookup(key)),
                ("reserve", lambda: catalog.reserve(key, "x1/n0", 30)),
                ("explain", lambda: catalog.explain(key)),
                ("publish", lambda: catalog.publish(make_entry(key))),
                ("release", lambda: catalog.release(key, "x1/n0")),
                ("evict", lambda: catalog.evict(digest=key.digest)),
            ):
                await self.lets_go(what, call)
        finally:
            await self.lets_close(catalog.close)

    # Entries

    async def test_nothing_is_found_in_an_empty_catalog(self, catalog: Catalog) -> None:
        """`lookup`: the entry under `key`, or None."""
        assert await catalog.lookup(make_key(x=1)) is None

    async def test_what_was_published_is_found_as_it_was(self, catalog: Catalog) -> None:
        """`publish`, `lookup`: an entry comes back as it was stored, in all its fields."""
        key = make_key(x=1, y="two")
        value = {"a": [1, 2.5, None, True, "ü"], "b": {"c": -(2**63)}}
        outputs: Literals = {"model": Offloaded("file:///blobs/ab", 70_000, digest(b"ab")), "o0": Inline(value)}
        entry = CacheEntry(key, outputs, "x1/n0/2", 1_799_999_999.25, 1_900_000_000.5, 70_123)
        await catalog.publish(entry)
        assert await catalog.lookup(key) == entry

    async def test_only_the_very_key_is_answered(self, catalog: Catalog) -> None:
        """`CacheKey`: `digest` is the key; nothing near it is a hit."""
        await catalog.publish(make_entry(make_key(x=1)))
        others = [make_key(x=2), make_key(y=1), make_key(x=1, version="2"), make_key(x=1, task="m.g"), make_key()]
        assert await is_there(catalog, *others) == [False] * len(others)

    async def test_the_first_publication_wins(self, catalog: Catalog) -> None:
        """`publish`: the first one wins."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, "first"))
        await catalog.publish(make_entry(key, "second", source="x2/n0/0"))
        assert await value_of(catalog, key) == "first"

    async def test_overwriting_replaces(self, catalog: Catalog) -> None:
        """`publish`: unless `overwrite`."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, "first"))
        second = make_entry(key, "second", source="x2/n0/0", size=77)
        await catalog.publish(second, overwrite=True)
        assert await catalog.lookup(key) == second

    async def test_of_many_publications_at_once_one_is_kept_whole(self, catalog: Catalog) -> None:
        """`publish`: one conditional insert, also of many at once."""
        key = make_key(x=1)
        entries = [make_entry(key, i, source=f"x{i}/n0/0", size=i) for i in range(20)]
        await asyncio.gather(*(catalog.publish(entry) for entry in entries))
        found = await catalog.lookup(key)
        assert found in entries
        await catalog.publish(make_entry(key, "late"))
        assert await catalog.lookup(key) == found

    async def test_an_expired_entry_is_not_found(self, catalog: Catalog, clock: ManualClock) -> None:
        """`lookup`: unless it has expired, from the moment `expires_at` on."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, at=clock.now, ttl=60))
        self.advance(clock, 59)
        assert await is_there(catalog, key) == [True]
        self.advance(clock, 1)
        assert await is_there(catalog, key) == [False]

    async def test_an_expired_entry_is_not_in_the_way_of_a_new_one(self, catalog: Catalog, clock: ManualClock) -> None:
        """`publish`: an expired entry is replaced."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, "old", at=clock.now, ttl=60))
        self.advance(clock, 61)
        new = make_entry(key, "new", at=clock.now, ttl=60)
        await catalog.publish(new)
        assert await catalog.lookup(key) == new

    # Reservations

    async def test_a_reservation_is_granted_to_the_first_and_named_to_the_others(self, catalog: Catalog) -> None:
        """`reserve`: answers with whoever holds it."""
        key = make_key(x=1)
        granted = await catalog.reserve(key, "x1/n0", 30)
        assert granted.owner == "x1/n0"
        assert await catalog.reserve(key, "x2/n0", 30) == granted

    async def test_of_many_who_ask_at_once_exactly_one_is_granted(self, catalog: Catalog) -> None:
        """`reserve`: granted to one, also of many who ask at once."""
        for number in range(5):
            key = make_key(x=number)
            owners = [f"x{i}/n0" for i in range(20)]
            answers = await asyncio.gather(*(catalog.reserve(key, owner, 30) for owner in owners))
            assert len({answer.owner for answer in answers}) == 1
            assert sum(a.owner == o for a, o in zip(answers, owners, strict=True)) == 1

    async def test_reservations_of_other_keys_do_not_matter(self, catalog: Catalog) -> None:
        """`reserve`: of `key`."""
        owners = [(await catalog.reserve(make_key(x=i), f"x{i}/n0", 30)).owner for i in range(5)]
        assert owners == [f"x{i}/n0" for i in range(5)]

    async def test_the_owner_extends_its_reservation(self, catalog: Catalog, clock: ManualClock) -> None:
        """`reserve`, called again by its owner: extends it."""
        key = make_key(x=1)
        first = await catalog.reserve(key, "x1/n0", 30)
        self.advance(clock, 20)
        second = await catalog.reserve(key, "x1/n0", 30)
        assert (second.owner, second.until) == ("x1/n0", first.until + 20)
        self.advance(clock, 20)
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x1/n0"

    async def test_a_reservation_ends_with_its_time(self, catalog: Catalog, clock: ManualClock) -> None:
        """`Reserved`: until then unless extended."""
        key = make_key(x=1)
        await catalog.reserve(key, "x1/n0", 30)
        self.advance(clock, 29)
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x1/n0"
        self.advance(clock, 1)
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x2/n0"
        assert (await catalog.reserve(key, "x1/n0", 30)).owner == "x2/n0"

    async def test_a_reservation_is_given_back_by_its_owner_only(self, catalog: Catalog) -> None:
        """`release`: not held, nothing happens, however often."""
        key = make_key(x=1)
        await catalog.release(key, "x1/n0")
        await catalog.reserve(key, "x1/n0", 30)
        await catalog.release(key, "x2/n0")
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x1/n0"
        await catalog.release(key, "x1/n0")
        await catalog.release(key, "x1/n0")
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x2/n0"

    async def test_publishing_ends_the_reservation_of_the_node_that_computed_it(self, catalog: Catalog) -> None:
        """`publish`: releases the reservation of the node that computed it, of this key."""
        key, other = make_key(x=1), make_key(x=2)
        await catalog.reserve(key, "x1/n0", 30)
        await catalog.reserve(other, "x1/n0", 30)
        await catalog.publish(make_entry(key, source="x1/n0/3"))
        assert (await catalog.reserve(key, "x2/n0", 30)).owner == "x2/n0"
        assert (await catalog.reserve(other, "x2/n0", 30)).owner == "x1/n0"

    async def test_publishing_leaves_the_reservation_of_another_alone(self, catalog: Catalog) -> None:
        """`publish`: of the node that computed it, and of no other."""
        key = make_key(x=1)
        await catalog.reserve(key, "x1/n0", 30)
        await catalog.publish(make_entry(key, source="x2/n0/0"))
        assert await is_there(catalog, key) == [True]
        assert (await catalog.reserve(key, "x3/n0", 30)).owner == "x1/n0"

    async def test_who_comes_too_late_to_publish_still_ends_its_reservation(self, catalog: Catalog) -> None:
        """`publish`: either way it releases the reservation."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, source="x2/n0/0"))
        await catalog.reserve(key, "x1/n0", 30)
        await catalog.publish(make_entry(key, source="x1/n0/0"))
        assert (await catalog.reserve(key, "x3/n0", 30)).owner == "x3/n0"

    # Eviction

    async def test_eviction_of_nothing_in_particular_removes_nothing(self, catalog: Catalog) -> None:
        """`evict`: with nothing given it removes nothing."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key))
        assert await catalog.evict() == Evicted(0, 0)
        assert await is_there(catalog, key) == [True]

    async def test_one_entry_is_evicted_by_its_key(self, catalog: Catalog) -> None:
        """`evict`: that one. `Evicted`: entries, and the bytes that they are counted with."""
        gone, stays = make_key(x=1), make_key(x=2)
        for key in (gone, stays):
            await catalog.publish(make_entry(key, size=30))
        assert await catalog.evict(digest=gone.digest) == Evicted(1, 30)
        assert await catalog.evict(digest=gone.digest) == Evicted(0, 0)
        assert await is_there(catalog, gone, stays) == [False, True]

    async def test_what_was_evicted_may_be_published_again(self, catalog: Catalog) -> None:
        """`evict`: removes it, so that the next publication is the first."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, "first"))
        await catalog.evict(digest=key.digest)
        await catalog.publish(make_entry(key, "second"))
        assert await value_of(catalog, key) == "second"

    async def test_entries_are_evicted_by_task(self, catalog: Catalog) -> None:
        """`evict`: those of a task, by its whole name."""
        keys = [make_key(task, x=i) for task in ("m.f", "m.ff") for i in range(2)]
        for key in keys:
            await catalog.publish(make_entry(key, size=5))
        assert await catalog.evict(task="m.f") == Evicted(2, 10)
        assert await is_there(catalog, *keys) == [False, False, True, True]

    async def test_entries_are_evicted_by_age(self, catalog: Catalog, clock: ManualClock) -> None:
        """`evict`: those older."""
        old, new = make_key(x=1), make_key(x=2)
        await catalog.publish(make_entry(old, at=clock.now))
        self.advance(clock, 100)
        await catalog.publish(make_entry(new, at=clock.now))
        self.advance(clock, 10)
        assert await catalog.evict(older_than_s=200) == Evicted(0, 0)
        assert await catalog.evict(older_than_s=50) == Evicted(1, 10)
        assert await is_there(catalog, old, new) == [False, True]

    async def test_an_age_far_below_nothing_evicts_everything(self, catalog: Catalog, clock: ManualClock) -> None:
        """`evict`: a negative age reaches into the future."""
        keys = [make_key(x=1), make_key(x=2), make_key("m.other")]
        for key, at, size in zip(keys, (clock.now, clock.now + 5000, clock.now), (10, 10, 0), strict=True):
            await catalog.publish(make_entry(key, at=at, size=size))
        assert await catalog.evict(older_than_s=-100 * 365 * 86400.0) == Evicted(3, 20)
        assert await is_there(catalog, *keys) == [False, False, False]

    async def test_the_least_recently_used_are_evicted_by_size(self, catalog: Catalog, clock: ManualClock) -> None:
        """`evict`: the least recently used until at most `size_max` bytes; a lookup is a use."""
        keys = [make_key(x=i) for i in range(5)]
        for key in keys:
            self.advance(clock, 1)
            await catalog.publish(make_entry(key, at=clock.now, size=100))
        self.advance(clock, 1)
        await catalog.lookup(keys[0])
        assert await catalog.evict(size_max=500) == Evicted(0, 0)
        assert await catalog.evict(size_max=250) == Evicted(3, 300)
        assert await is_there(catalog, *keys) == [True, False, False, False, True]

    # Explanation

    async def test_a_hit_is_explained(self, catalog: Catalog) -> None:
        """`explain`: why `key` hits."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, source="x7/n3/0"))
        why = await catalog.explain(key)
        assert why.hit
        assert "x7/n3/0" in why.reason

    async def test_a_task_that_was_never_computed_is_explained(self, catalog: Catalog) -> None:
        """`explain`: without an entry of the task there is no nearest."""
        await catalog.publish(make_entry(make_key("m.other", x=1)))
        why = await catalog.explain(make_key("m.f", x=1))
        assert not why.hit
        assert why.nearest is None
        assert "m.f" in why.reason

    async def test_the_input_that_differs_is_named(self, catalog: Catalog) -> None:
        """`explain`: against the entry of the same task that is nearest."""
        near, far = make_entry(make_key(day=1, city="SF", n=3)), make_entry(make_key(day=2, city="LA", n=4))
        for entry in (near, far):
            await catalog.publish(entry)
        why = await catalog.explain(make_key(day=9, city="SF", n=3))
        assert not why.hit
        assert why.nearest == near
        assert len(why.differences) == 1
        assert "'day'" in why.differences[0]
        assert "'day'" in why.reason

    async def test_another_version_is_told_apart_from_another_input(self, catalog: Catalog) -> None:
        """`Explanation.differences`: what differs, by name."""
        await catalog.publish(make_entry(make_key(version="1", day=1)))
        why = await catalog.explain(make_key(version="2", day=1))
        assert len(why.differences) == 1
        assert "version" in why.differences[0]
        derived = make_key(version=digest(b"old"), task="m.g", day=1)
        await catalog.publish(make_entry(derived))
        why = await catalog.explain(make_key(version=digest(b"new"), task="m.g", day=1))
        assert len(why.differences) == 1
        assert "code" in why.differences[0]
        assert "m.g" in why.differences[0]

    async def test_an_entry_that_expired_is_explained(self, catalog: Catalog, clock: ManualClock) -> None:
        """`explain`: that it expired is a reason of its own."""
        key = make_key(x=1)
        entry = make_entry(key, at=clock.now, ttl=60)
        await catalog.publish(entry)
        self.advance(clock, 90)
        why = await catalog.explain(key)
        assert not why.hit
        assert "expired" in why.reason
        assert why.nearest == entry

    # Keeping

    async def test_a_new_object_knows_what_was_kept(self, home: TemporaryHome, clock: ManualClock) -> None:
        """A new object over the same state has its entries and reservations."""
        key = make_key(x=1)
        async with opened(self.make(home, clock)) as first:
            await first.publish(make_entry(key))
            await first.reserve(make_key(x=2), "x1/n0", 30)
        async with opened(self.make(home, clock)) as second:
            assert await second.lookup(key) == make_entry(key)
            assert (await second.reserve(make_key(x=2), "x2/n0", 30)).owner == "x1/n0"

    async def test_objects_that_share_a_state_grant_once(self, home: TemporaryHome, clock: ManualClock) -> None:
        """All calls may be made from several kernels at once. Where `shared`."""
        if not self.shared:
            pytest.skip("this catalog is open once")
        async with AsyncExitStack() as stack:
            made = [self.make(home, clock) for _ in range(4)]
            catalogs = [await stack.enter_async_context(opened(catalog)) for catalog in made]
            for number in range(10):
                key = make_key(x=number)
                asked = await asyncio.gather(*(c.reserve(key, f"x{i}/n0", 30) for i, c in enumerate(catalogs)))
                assert len({answer.owner for answer in asked}) == 1
                await catalogs[0].publish(make_entry(key))
                assert [await is_there(catalog, key) for catalog in catalogs] == [[True]] * 4

    async def test_a_cancelled_call_leaves_nothing_half_done(self, home: TemporaryHome, clock: ManualClock) -> None:
        """Any call, cancelled at any moment: it took place or not, and the next one works."""
        async with opened(self.make(home, clock)) as catalog:
            for turns in range(12):
                await cancel_calls(catalog, make_key(x=turns), turns)
                async with asyncio.timeout(20):
                    await catalog.publish(make_entry(make_key(y=turns)))
        async with opened(self.make(home, clock)) as again:
            there = await is_there(again, *(make_key(y=turns) for turns in range(12)))
            assert all(there), f"{there.count(False)} of 12 entries are gone that were published"
            for turns in range(12):
                assert await again.lookup(make_key(x=turns)) in (None, make_entry(make_key(x=turns)))

    # Trouble

    async def test_a_reservation_ends_by_itself(self, catalog: Catalog) -> None:
        """`reserve`: until then, unless extended: who crashed does not hold it for ever. With the catalog's own clock."""
        if self.injects_clock:
            pytest.skip("its clock stands still; see the others")
        key = make_key(x=1)
        await catalog.reserve(key, "x1/n0", 0.05)
        while (await catalog.reserve(key, "x2/n0", 30)).owner != "x2/n0":  # time passes without events
            await asyncio.sleep(0.01)

    async def test_an_entry_that_expired_long_ago_is_not_found(self, catalog: Catalog) -> None:
        """`lookup`: unless it has expired."""
        key = make_key(x=1)
        await catalog.publish(make_entry(key, at=1_000_000_000.0, ttl=60))
        assert await catalog.lookup(key) is None
        assert not (await catalog.explain(key)).hit

    @pytest.mark.parametrize("text", ["", "ü🐦", "a'b\"c;--", "../../out", "x" * 5000, "new\nline\0zero"], ids=range(6))
    async def test_names_and_values_are_any_text(self, catalog: Catalog, text: str) -> None:
        """`CacheKey`, `CacheEntry`: what is in them are names and data, and comes back as it was."""
        key = make_key(f"m.{text}", text, text, x=text)
        entry = make_entry(key, {"value": [text] * 50}, size=2**40)
        await catalog.publish(entry)
        assert await catalog.lookup(key) == entry
        assert (await catalog.reserve(key, f"x1/{text}", 30)).owner == f"x1/{text}"
        assert (await catalog.explain(key)).hit
        assert await catalog.evict(task=f"m.{text}") == Evicted(1, 2**40)

    async def test_answers_are_of_the_declared_types(self, home: TemporaryHome, clock: ManualClock) -> None:
        """Each call answers what it declares; those that declare nothing answer None."""
        catalog: Any = self.make(home, clock)
        key = make_key(x=1)
        assert await catalog.start() is None
        assert type(await catalog.reserve(key, "x1/n0", 30)) is Reserved
        assert type(await catalog.explain(key)) is Explanation
        assert await catalog.release(key, "x1/n0") is None
        assert await catalog.publish(make_entry(key)) is None
        assert type(await catalog.lookup(key)) is CacheEntry
        assert type(await catalog.explain(key)) is Explanation
        assert type(await catalog.evict(digest=key.digest)) is Evicted
        assert await catalog.close() is None

    def test_a_kill_loses_nothing_that_was_published(
        self, home: TemporaryHome, clock: ManualClock, tmp_path: Path
    ) -> None:
        """`publish`: what it returned from is there for whoever opens it next, also after a crash."""
        said = tmp_path / "said"

        async def life() -> None:
            catalog = self.make(home, clock)
            await catalog.start()
            with said.open("ab", buffering=0) as file:
                for number in range(10**6):
                    await catalog.publish(make_entry(make_key(x=number)))
                    file.write(b"x")

        async def check() -> None:
            async with asyncio.timeout(self.patience_s), opened(self.make(home, clock)) as catalog:
                keys = [make_key(x=number) for number in range(said.stat().st_size)]
                there = await is_there(catalog, *keys)
                assert all(there), (
                    f"{there.count(False)} of {len(keys)} entries are gone that were published before the kill"
                )
                await catalog.publish(make_entry(make_key(y=1)))

        self.crash(life, lambda: said.exists() and said.stat().st_size >= 12)
        asyncio.run(check())

    async def test_many_calls_at_once_are_all_answered(self, catalog: Catalog) -> None:
        """All calls may be made from several tasks at once; each key is one piece of work."""

        async def work(number: int) -> None:
            key = make_key(x=number)
            owner = f"x{number}/n0"
            assert await catalog.lookup(key) is None
            assert (await catalog.reserve(key, owner, 30)).owner == owner
            await catalog.publish(make_entry(key, number, source=f"{owner}/0"))
            assert await value_of(catalog, key) == number

        await asyncio.gather(*(work(number) for number in range(200)))

    async def test_nothing_is_left_open(self, home: TemporaryHome, clock: ManualClock) -> None:
        """`close`: lets go of everything."""
        counts = []
        for life in range(4):
            async with opened(self.make(home, clock)) as catalog:
                await catalog.publish(make_entry(make_key(x=life)))
            counts.append(held())
        await self.closed(counts[1], counts)  # the first may open what stays

    async def test_what_was_never_started_can_be_closed(self, home: TemporaryHome, clock: ManualClock) -> None:
        """`close`: also when the kernel failed before it came to call `start`, and twice."""
        catalog = self.make(home, clock)
        await catalog.close()
        async with opened(self.make(home, clock)) as catalog:
            await catalog.close()

    def test_it_behaves_like_a_dictionary(self, home: TemporaryHome, tmp_path: Path) -> None:
        """Any calls in any order, against a dictionary."""

        def made(number: int, clock: Callable[[], float]) -> Catalog:
            return self.make(self.another_home(tmp_path, f"state{number}"), clock)

        run_model(made, moves_clock=self.injects_clock, examples=self.examples)
