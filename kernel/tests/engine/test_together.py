"""One look for all who ask the same at about the same time."""

import asyncio

import pytest

from wingbeat.engine.together import Together


class Shelf:
    """What is looked at, slowly."""

    def __init__(self) -> None:
        self.looks, self.there = 0, 0

    async def look(self, key: str) -> tuple[str, int]:
        self.looks += 1
        seen = self.there
        for _ in range(3):
            await asyncio.sleep(0)
        return key, seen


async def test_a_thousand_who_ask_at_once_are_one_look() -> None:
    shelf = Shelf()
    together = Together(shelf.look)
    assert await asyncio.gather(*(together.ask("a") for _ in range(1000))) == [("a", 0)] * 1000
    assert shelf.looks == 1
    assert {key for key, _ in await asyncio.gather(together.ask("a"), together.ask("b"))} == {"a", "b"}
    assert not together._next and not together._turns, "nothing is kept"


async def test_who_asks_while_a_look_is_under_way_sees_what_came_before_he_asked() -> None:
    shelf = Shelf()
    together = Together(shelf.look)
    first = asyncio.ensure_future(together.ask("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert shelf.looks == 1
    shelf.there = 7
    assert await asyncio.gather(*(together.ask("a") for _ in range(100))) == [("a", 7)] * 100
    assert await first == ("a", 0)
    assert shelf.looks == 2


async def test_who_leaves_takes_nothing_from_the_others() -> None:
    shelf = Shelf()
    together = Together(shelf.look)
    asked = [asyncio.ensure_future(together.ask("a")) for _ in range(3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    assert await asked[1] == await asked[2] == ("a", 0)


async def test_an_error_is_everybodys_and_the_next_look_is_another() -> None:
    shelf = Shelf()

    async def look(key: str) -> tuple[str, int]:
        if not shelf.looks:
            shelf.looks = 1
            raise OSError(key)
        return await shelf.look(key)

    together = Together(look)
    assert [type(e) for e in await asyncio.gather(*(together.ask("a") for _ in range(3)), return_exceptions=True)] == [
        OSError
    ] * 3
    assert await together.ask("a") == ("a", 0)
    with pytest.raises(TypeError):
        await Together(None).ask("a")  # type: ignore[arg-type]
