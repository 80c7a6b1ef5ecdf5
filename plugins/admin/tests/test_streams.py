"""Streams: many who follow are told together what has come."""

import asyncio
import contextlib

import pytest

from wingbeat.base.errors import EngineStopped
from wingbeat_admin.server import streams
from wingbeat_admin.server.streams import Pace, message, paced


async def counted(upto, pause=0.0):
    for number in range(upto):
        if pause:
            await asyncio.sleep(pause)
        yield number


async def collected(*given):
    return [batch async for batch in paced(*given)]


async def test_what_is_there_comes_together_and_in_its_order():
    assert await collected(asyncio.Event(), counted(10), Pace()) == [[*range(10)]]


async def test_nothing_is_lost_while_others_are_told(monkeypatch):
    monkeypatch.setattr(streams, "SHARE_S", 0.05)
    queue = asyncio.Queue()

    async def told():
        while (number := await queue.get()) < 29:
            yield number

    async def tell():
        for number in range(30):
            queue.put_nowait(number)
            await asyncio.sleep(0.003)

    batches, _ = await asyncio.gather(collected(asyncio.Event(), told(), Pace()), tell())
    assert [number for batch in batches for number in batch] == [*range(29)]
    assert len(batches) < 15, "several at once"


def test_who_is_alone_waits_for_little_and_of_many_each_waits_longer():
    pace = Pace()
    with contextlib.ExitStack() as many:
        many.enter_context(pace.stream())
        assert pace.seconds == streams.SHARE_S
        for _ in range(10_000):
            many.enter_context(pace.stream())
        assert pace.seconds == streams.PACE_S_MAX
    assert pace.seconds == 0


def test_those_of_a_group_are_told_at_the_same_time(monkeypatch):
    monkeypatch.setattr(streams, "SHARE_S", 0.5)
    pace = Pace()
    with pace.stream() as group, pace.stream() as other:
        assert {round(now + pace.until_next(group, now), 6) for now in (10.2, 10.5, 10.9)} == {11.125}
        assert {round(now + pace.until_next(other, now), 6) for now in (10.3, 10.5, 10.9)} == {11.25}
        assert 0 < pace.until_next(group, 11.125) <= 1.0


def test_what_several_are_told_is_written_once():
    pace, items = Pace(), [1, 2]
    assert pace.written(items) is pace.written(items)
    assert pace.written([3]) == b"[3]"


async def test_a_stream_that_is_done_leaves_the_pace_to_the_others():
    pace = Pace()
    await collected(asyncio.Event(), counted(3), pace)
    assert pace.seconds == 0


async def test_no_more_is_taken_than_is_read():
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield taken

    items = paced(asyncio.Event(), endless(), Pace())
    taken_first = await anext(items)
    assert len(taken_first) == streams.ITEMS_MAX
    for _ in range(5):
        await asyncio.sleep(0)
    assert taken <= streams.ITEMS_MAX + 1
    await items.aclose()


async def test_the_end_of_the_server_is_its_end_also_while_nothing_comes():
    end, closed = asyncio.Event(), asyncio.Event()

    async def silent():
        try:
            await asyncio.Event().wait()
            yield
        finally:
            closed.set()

    reading = asyncio.ensure_future(collected(end, silent(), Pace()))
    await asyncio.sleep(0)
    end.set()
    assert await reading == []
    await closed.wait()


async def test_an_error_comes_behind_what_came_before_it():
    async def failing():
        yield 1
        yield 2
        raise EngineStopped("closed")

    seen = []
    with pytest.raises(EngineStopped):
        async for batch in paced(asyncio.Event(), failing(), Pace()):
            seen += batch
    assert seen == [1, 2]


def test_a_message_is_what_the_standard_says():
    assert message(b"{}", id=7) == b"id: 7\r\ndata: {}\r\n\r\n"
    assert message(b"", event="end") == b"event: end\r\ndata: \r\n\r\n"
