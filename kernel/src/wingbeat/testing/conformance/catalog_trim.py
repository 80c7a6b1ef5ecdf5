"""What every catalog must do that lets go of entries which nobody asks for. Derive a class beside that of `CatalogContract`::

class TestMyCatalog(CatalogContract, TrimContract):
    def make(self, home: Home, clock: Callable[[], float]) -> Catalog:
        return MyCatalog(home.path, clock=clock)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

import pytest

from wingbeat.contracts.catalog import CacheKey, Catalog, Evicted, Trimmable
from wingbeat.testing.conformance.catalog import is_there, opened
from wingbeat.testing.conformance.catalog_samples import ManualClock, make_entry, make_key
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome

DAY_S = 86_400.0
APART_S = 0.05
"""So much later something is later, by the machine's clock."""
ROUNDS_MIN = 3
MANY = 1000


def trimming(catalog: Catalog) -> Trimmable:
    """The catalog, which lets go."""
    assert isinstance(catalog, Trimmable), f"{type(catalog).__name__} keeps everything"
    return catalog


class TrimContract(Kit):
    """The contract of `wingbeat.contracts.catalog.Trimmable` as tests.

    Attributes:
        injects_clock: As of `CatalogContract`. Where the catalog goes by the machine's clock, the tests wait for what they need to
            pass, with days that are short.

        short_day_s: How short.

        rounds: How often an entry is looked up and removed at the same time; a few times where that takes a day each.
    """

    injects_clock: ClassVar[bool] = True
    short_day_s: ClassVar[float] = 2.0
    rounds: ClassVar[int] = 50

    @property
    def day_s(self) -> float:
        """Long after everything that happens at one time."""
        return DAY_S if self.injects_clock else self.short_day_s

    def now(self, clock: ManualClock) -> float:
        """What time it is for the catalog."""
        return clock.now if self.injects_clock else time.time()

    async def passes(self, clock: ManualClock, seconds: float) -> None:
        """Let time pass."""
        if self.injects_clock:
            clock.now += seconds
        else:
            await asyncio.sleep(seconds)

    def make(self, home: TemporaryHome, clock: Callable[[], float]) -> Catalog:
        """A catalog, not started, that keeps its state in `home` and asks that clock."""
        raise NotImplementedError(
            f"{type(self).__name__} has to say how a catalog is made: def make(self, home, clock)"
        )

    @pytest.fixture
    def clock(self) -> ManualClock:
        """What time it is."""
        return ManualClock()

    async def filled(self, catalog: Catalog, clock: ManualClock, count: int) -> list[CacheKey]:
        """Entries that are published one after another, of a size of 10 each; and then a day passes."""
        keys = [make_key(x=number) for number in range(count)]
        for key in keys:
            await catalog.publish(make_entry(key, at=self.now(clock)))
            await self.passes(clock, 1 if self.injects_clock else APART_S)
        await self.passes(clock, self.day_s)
        return keys

    async def test_what_nobody_asks_for_is_counted_and_goes(self, home: TemporaryHome, clock: ManualClock) -> None:
        """`stale`, `trim`: what was last used longer ago, and nothing else; also for another object. Again: nothing is left."""
        async with opened(self.make(home, clock)) as catalog:
            old = await self.filled(catalog, clock, 3)
            new = make_key(x="new")
            await catalog.publish(make_entry(new, at=self.now(clock)))
            assert await trimming(catalog).stale(2 * self.day_s) == Evicted(0, 0)
            assert await trimming(catalog).stale(self.day_s / 2) == Evicted(3, 30)
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(3, 30)
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(0, 0)
        async with opened(self.make(home, clock)) as catalog:
            assert await is_there(catalog, *old, new) == [False, False, False, True]

    async def test_what_is_only_counted_stays(self, home: TemporaryHome, clock: ManualClock) -> None:
        """`stale`: changes nothing, and counting is no use."""
        async with opened(self.make(home, clock)) as catalog:
            keys = await self.filled(catalog, clock, 2)
            for _ in range(2):
                assert (await trimming(catalog).stale(self.day_s / 2)).entries == 2
            assert await is_there(catalog, *keys) == [True, True]

    async def test_what_was_asked_for_stays(self, home: TemporaryHome, clock: ManualClock) -> None:
        """A lookup is a use, and so is a publication, also where another entry was first; `explain` is none."""
        async with opened(self.make(home, clock)) as catalog:
            keys = await self.filled(catalog, clock, 3)
            await catalog.lookup(keys[0])
            await catalog.publish(make_entry(keys[1], "late", at=self.now(clock)))
            await catalog.explain(keys[2])
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(1, 10)
            assert await is_there(catalog, *keys) == [True, True, False]

    async def test_uses_outlive_the_object(self, home: TemporaryHome, clock: ManualClock) -> None:
        """That an entry was looked up is known to the next object, when the first was closed."""
        async with opened(self.make(home, clock)) as catalog:
            (key,) = await self.filled(catalog, clock, 1)
            await catalog.lookup(key)
        async with opened(self.make(home, clock)) as catalog:
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(0, 0)
            assert await is_there(catalog, key) == [True]

    async def test_the_least_recently_used_go_first_and_no_more_than_asked(
        self, home: TemporaryHome, clock: ManualClock
    ) -> None:
        """`trim`: at most `limit`."""
        async with opened(self.make(home, clock)) as catalog:
            keys = await self.filled(catalog, clock, 5)
            assert await trimming(catalog).trim(self.day_s / 2, 2) == Evicted(2, 20)
            assert (await trimming(catalog).stale(self.day_s / 2)).entries == 3
            assert await is_there(catalog, *keys) == [False, False, True, True, True]

    async def test_what_is_reserved_now_stays(self, home: TemporaryHome, clock: ManualClock) -> None:
        """One whose key is reserved is not stale, nor in the way of those behind it; when the reservation has run out, it is."""
        async with opened(self.make(home, clock)) as catalog:
            keys = await self.filled(catalog, clock, 3)
            lease_s = 30 if self.injects_clock else self.short_day_s
            await catalog.reserve(keys[0], "x1/n0", lease_s)
            assert await trimming(catalog).stale(self.day_s / 2) == Evicted(2, 20)
            assert await trimming(catalog).trim(self.day_s / 2, 1) == Evicted(1, 10)
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(1, 10)
            assert (await trimming(catalog).stale(self.day_s / 2)).entries == 0
            await self.passes(clock, lease_s + APART_S)
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(1, 10)
            assert await is_there(catalog, *keys) == [False, False, False]

    async def test_what_went_can_be_published_again(self, home: TemporaryHome, clock: ManualClock) -> None:
        """`trim`: the next publication is the first; its reservations are granted as if nothing had been there."""
        async with opened(self.make(home, clock)) as catalog:
            (key,) = await self.filled(catalog, clock, 1)
            await trimming(catalog).trim(self.day_s / 2, MANY)
            assert (await catalog.reserve(key, "x1/n0", 30)).owner == "x1/n0"
            again = make_entry(key, "again", at=self.now(clock))
            await catalog.publish(again)
            assert await catalog.lookup(key) == again
            assert await trimming(catalog).trim(self.day_s / 2, MANY) == Evicted(0, 0)

    async def test_who_finds_an_entry_while_others_go_finds_it_again(
        self, home: TemporaryHome, clock: ManualClock
    ) -> None:
        """`lookup` and `trim` at the same time: either it is missed, or it stays."""
        async with opened(self.make(home, clock)) as catalog:
            for number in range(self.rounds if self.injects_clock else ROUNDS_MIN):
                (key,) = await self.filled(catalog, clock, 1)
                looking = asyncio.ensure_future(catalog.lookup(key))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                await trimming(catalog).trim(self.day_s / 2, MANY)
                assert await is_there(catalog, key) == [await looking is not None]
