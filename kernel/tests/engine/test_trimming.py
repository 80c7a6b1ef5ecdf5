"""Entries of the catalog that nobody asks for go in batches, whatever the catalog does."""

import asyncio

import pytest

from wingbeat.calls import Calls
from wingbeat.contracts.catalog import Evicted
from wingbeat.engine import eviction
from wingbeat.engine.eviction import trim
from wingbeat.testing.fakes import MemoryCatalog

NAME = "The catalog 'memory'"


class Trimming(MemoryCatalog):
    """So many entries are stale."""

    def __init__(self, count: int):
        super().__init__()
        self.count, self.asked = count, []

    async def stale(self, unused_s):
        self._called("stale")
        return Evicted(self.count, 0)

    async def trim(self, unused_s, limit):
        self._called("trim")
        self.asked.append((unused_s, limit))
        gone = min(limit, self.count)
        self.count -= gone
        return Evicted(gone, 0)


async def test_entries_go_in_batches():
    catalog = Trimming(2500)
    assert await trim(Calls(catalog, NAME), 60.0, dry=True) == (2500, "")
    assert not catalog.asked
    assert await trim(Calls(catalog, NAME), 60.0, dry=False) == (2500, "")
    assert catalog.asked == [(60.0, 1000), (60.0, 1000), (60.0, 500)]


async def test_where_there_is_no_catalog_nothing_is_said():
    assert await trim(None, 60.0, dry=False) == (0, "")


async def test_a_catalog_that_keeps_everything_is_named():
    count, why = await trim(Calls(MemoryCatalog(), NAME), 60.0, dry=False)
    assert (count, why.partition(":")[0]) == (0, f"{NAME} keeps its entries until they are evicted")


@pytest.mark.parametrize("call", ["stale", "trim"])
async def test_a_catalog_that_raises_is_named_and_harms_nobody(call):
    catalog = Trimming(10)
    catalog.broken.add(call)
    assert await trim(Calls(catalog, NAME), 60.0, dry=False) == (
        0,
        f"{NAME} keeps its entries for now: OSError: {call} is broken",
    )


async def test_a_catalog_that_never_has_enough_is_asked_for_no_more_than_there_were():
    class Endless(Trimming):
        async def trim(self, unused_s, limit):
            return Evicted(1, 0)

    class Stuck(Trimming):
        async def trim(self, unused_s, limit):
            return Evicted(0, 0)

    assert await trim(Calls(Endless(5), NAME), 60.0, dry=False) == (5, "")
    assert await trim(Calls(Stuck(5), NAME), 60.0, dry=False) == (0, "")


async def test_a_catalog_that_hangs_or_answers_nonsense_is_named(monkeypatch):
    class Hanging(Trimming):
        async def stale(self, unused_s):
            await asyncio.Event().wait()

    class Odd(Trimming):
        async def stale(self, unused_s):
            return 7

    monkeypatch.setattr(eviction, "ANSWER_S_MAX", 0.01)
    assert (
        "keeps its entries for now: it did not answer within 0.01 s"
        in (await trim(Calls(Hanging(1), NAME), 60.0, dry=False))[1]
    )
    assert "stale answered with int, not with Evicted" in (await trim(Calls(Odd(1), NAME), 60.0, dry=False))[1]
