import asyncio

import pytest

from wingbeat_admin.server.ending import before


async def count(n, *, forever=False, fails=None):
    for i in range(n):
        yield i
    if fails is not None:
        raise fails
    if forever:
        await asyncio.Event().wait()


async def test_items_come_until_there_are_no_more():
    assert [i async for i in before(asyncio.Event(), count(3))] == [0, 1, 2]


async def test_the_end_comes_while_an_item_is_waited_for():
    end = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, end.set)
    assert [i async for i in before(end, count(3, forever=True))] == [0, 1, 2]


async def test_what_goes_wrong_is_raised():
    with pytest.raises(OSError, match="broken"):
        [i async for i in before(asyncio.Event(), count(1, fails=OSError("broken")))]
