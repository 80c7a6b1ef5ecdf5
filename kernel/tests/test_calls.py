"""Calls of plugins that raise, exit, hang, cancel themselves or cannot be cancelled: each ends, for whoever has called."""

import asyncio
import contextlib
import gc
import time

import pytest

from wingbeat import calls
from wingbeat.calls import Calls, NoAnswer, Watch, Within, let_go, why, within

NAME = "The plugin 'x'"


class Plugin:
    """What a call does is up to the test."""

    def __init__(self, **does):
        vars(self).update(does)
        self.asked = 0

    async def keep(self):
        self.asked += 1
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def close(self):
        return "closed"


class Own(Plugin):
    pass


Own.__module__ = "wingbeat_catalog.sqlite"


async def add(a, b=0):
    await asyncio.sleep(0)
    return a + b


async def burn():
    raise OSError("on fire")


async def leave():
    raise SystemExit(3)


async def ends():
    raise GeneratorExit("early")


async def cancels():
    raise asyncio.CancelledError


async def hang():
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)


async def test_what_is_no_exception_is_told_as_no_answer():
    with pytest.raises(NoAnswer) as caught:
        await Calls(Plugin(ends=ends), NAME).ask_within(1.0, "ends")
    assert why(caught.value) == "GeneratorExit: early"


@pytest.mark.parametrize("kind", [Plugin, Own])
async def test_it_answers_raises_and_ends_as_it_does(kind):
    found = Calls(kind(add=add, burn=burn, leave=leave, cancels=cancels, hang=hang, plain=lambda: 7), NAME)
    assert await found.ask_within(1.0, "add", 1, b=2) == 3
    for call, raised, told in (
        ("burn", OSError, "OSError: on fire"),
        ("leave", SystemExit, "SystemExit: 3"),
        ("cancels", NoAnswer, "it has cancelled the call itself"),
        ("hang", NoAnswer, "it did not answer within 0.01 s"),
        ("plain", TypeError, "TypeError: object int can't be used in 'await' expression"),
        ("nothing", AttributeError, f"AttributeError: {kind.__name__!r} object has no attribute 'nothing'"),
    ):
        with pytest.raises(raised) as caught:
            await found.ask_within(0.01, call)
        assert why(caught.value) == told


async def test_own_calls_are_made_in_place_and_foreign_ones_apart():
    task = asyncio.current_task()

    async def where():
        return asyncio.current_task()

    assert await Calls(Own(where=where), NAME).ask("where") is task
    assert await Calls(Plugin(where=where), NAME).ask("where") is not task


async def test_one_that_does_not_let_go_is_named_once_and_asked_again_when_it_has(caplog):
    end = asyncio.Event()

    async def keep():
        while not end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()
        raise OSError("nobody hears this")

    found = Calls(Plugin(keep=keep, add=add), NAME)
    told = "it does not let go of a call that was cancelled (keep), and is asked for nothing until that ends"
    both = await asyncio.gather(*(found.ask_within(0.02, "keep") for _ in range(2)), return_exceptions=True)
    assert [why(error) for error in both] == ["it did not answer within 0.02 s"] * 2
    with pytest.raises(NoAnswer, match="does not let go"):
        await found.ask("add", 1)
    await found.close(1.0)
    assert [record.getMessage() for record in caplog.records] == [f"{NAME} failed: {told}"]
    end.set()
    while len(caplog.records) == 1:
        await asyncio.sleep(0)
    assert await found.ask("add", 1) == 1
    assert caplog.records[1].getMessage() == f"{NAME} has let go of what it was asked, and is asked again."


def test_what_is_left_behind_keeps_neither_the_loop_nor_a_word_of_asyncio(caplog):
    plugin = Plugin()

    async def main():
        with pytest.raises(NoAnswer):
            await Calls(plugin, NAME).ask_within(0.02, "keep")

    began = time.monotonic()
    asyncio.run(main())
    gc.collect()
    assert time.monotonic() - began < 10
    assert plugin.asked == 1
    assert "was destroyed but it is pending" not in caplog.text


async def test_to_close_waits_for_what_is_about_to_let_go():
    order = []

    async def slow():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            order.append("lets go")

    async def close():
        order.append("closes")

    found = Calls(Plugin(slow=slow, close=close), NAME)
    asking = asyncio.create_task(found.ask("slow"))
    await asyncio.sleep(0.005)
    for _ in range(2):  # who cancels twice does not wait
        asking.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asking
    await found.close(1.0)
    assert order == ["lets go", "closes"]


async def test_who_is_cancelled_is_cancelled_and_no_plugin_has_failed():
    async def ask():
        async with within(10.0):
            await asyncio.Event().wait()

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    assert await let_go((asking,), 1.0) == set()
    assert asking.cancelled()


async def late(watch, seconds, work):
    with Within(watch, seconds):
        return await work


async def test_one_timer_sees_to_the_ends_of_many_calls():
    watch, began = Watch(), time.monotonic()
    slow = [asyncio.create_task(late(watch, seconds, hang())) for seconds in (0.05, 10.0, 0.02, 0.05)]
    assert await late(watch, 10.0, add(1, 2)) == 3
    await asyncio.wait([slow[0], slow[2], slow[3]])
    assert time.monotonic() - began < 5
    assert [str(task.exception()) for task in (slow[0], slow[2])] == [
        "it did not answer within 0.05 s",
        "it did not answer within 0.02 s",
    ]
    assert not slow[1].done()
    assert watch.under_way[0].task is slow[1]
    await let_go((slow[1],), 1.0)
    assert slow[1].cancelled()
    assert watch.under_way == []
    watch.close()


async def test_who_is_late_and_cancelled_by_others_too_is_cancelled():
    watch = Watch()
    task = asyncio.create_task(late(watch, 0.0, hang()))
    while not (watch.under_way and watch.under_way[0].late):
        await asyncio.sleep(0)
    task.cancel()
    assert await let_go((task,), 1.0) == set()
    assert task.cancelled()


async def test_one_that_answers_late_and_will_not_be_cancelled_has_answered():
    async def answers():
        with contextlib.suppress(asyncio.CancelledError):
            await hang()
        return 7

    watch = Watch()
    assert await late(watch, 0.01, answers()) == 7
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_cancels_itself_within_a_watch_has_failed():
    with pytest.raises(NoAnswer, match="cancelled the call itself"):
        await late(Watch(), 1.0, cancels())
