"""Mistakes in the bodies of dynamic workflows: what is told of calls that nobody awaits, and of wrong arguments."""

import asyncio
import contextvars
from types import SimpleNamespace

import pytest

from wingbeat import gather, map_task, task, workflow
from wingbeat.contracts.executor import Recorded, Replay, Suspended
from wingbeat.runtime.errors import describe
from wingbeat.runtime.turn import Turn


@task
def one(n: int) -> int:
    return n


@task
def listed(n: int) -> list[int]:
    return [n]


@task
def total(ns: list[int]) -> int:
    return sum(ns)


async def helper(n):
    return await one(n)


@workflow
async def returned(n: int) -> int:
    return one(n)


@workflow
async def added(n: int) -> int:
    found = one(n)
    n += 1
    return found + 1


@workflow
async def given(n: int) -> int:
    return await one(one(n))


@workflow
async def given_in_a_list(n: int) -> int:
    return await total([1, one(n)])


@workflow
async def looped(n: int) -> int:
    return sum(each for each in listed(n))


@workflow
async def indexed(n: int) -> int:
    return listed(n)[0]


@workflow
async def asked(n: int) -> int:
    return 1 if one(n) else 2


@workflow
async def ignored(n: int) -> int:
    one(n)
    return n


@workflow
async def mapped(n: int) -> list[int]:
    return map_task(one)([n])


@workflow
async def helped(n: int) -> int:
    return helper(n)


@workflow
async def helped_and_added(n: int) -> int:
    return helper(n) + 1


def run(flow, replay=Replay(0.0)):
    """A turn of a body, by default the first, in a context of its own."""
    turn = Turn(replay, SimpleNamespace(put_bytes=None))
    try:
        return contextvars.copy_context().run(turn.run, flow.fn, {"n": 3})
    finally:
        asyncio.set_event_loop(None)
        turn._loop.close()


def told(flow):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whichever it is
        run(flow)
    return describe(caught.value)


BODIES = [returned, added, given, given_in_a_list, looped, indexed, asked, ignored, mapped, helped, helped_and_added]


@pytest.mark.parametrize("flow", BODIES, ids=[flow.__name__ for flow in BODIES])
@pytest.mark.filterwarnings("ignore:coroutine 'helper' was never awaited")
def test_a_forgotten_await_is_told_with_its_line(flow):
    error = told(flow)
    assert (error.code, error.retryable) == ("NotAwaited", False)
    assert "await" in error.message
    assert error.message.count("test_turn.py:") == 1
    assert "src/wingbeat" not in error.trace
    if flow is added:
        line = added.fn.__code__.co_firstlineno + 2
        assert f"test_turn.py:{line})" in error.message, "where the call was made"
        assert "found + 1" in error.trace, "and where it was found out"


@workflow
async def gathered(n: int) -> int:
    asyncio.gather(one(n), one(2))
    return n


@workflow
async def gathered_by_ours(n: int) -> int:
    gather(one(n), one(2))
    return n


@workflow
async def started(n: int) -> int:
    asyncio.create_task(helper(n))  # noqa: RUF006  # which is what it is about
    return n


@pytest.mark.parametrize("flow", [gathered, gathered_by_ours, started])
def test_what_asyncio_is_given_when_the_body_ends_is_told(flow):
    error = told(flow)
    assert (error.code, error.retryable) == ("NotAwaited", False)
    assert "before what it has given to asyncio begins" in error.message
    line = flow.fn.__code__.co_firstlineno + 2 if flow is not started else helper.__code__.co_firstlineno + 1
    assert f".one (test_turn.py:{line})" in error.message


@workflow
async def cancelled(n: int) -> int:
    asyncio.create_task(helper(n)).cancel()
    under_way = asyncio.create_task(helper(n))
    await asyncio.sleep(0)
    under_way.cancel()
    return n


def test_what_is_cancelled_was_not_forgotten():
    assert run(cancelled) == 3


@workflow
async def spins(n: int) -> int:
    while n:
        await asyncio.sleep(0)
    return n


@workflow
async def spins_aside(n: int) -> int:
    async def looks():
        while n:
            await asyncio.sleep(0)

    task = asyncio.create_task(looks())
    await one(n)
    return await task


@pytest.mark.parametrize(("flow", "line"), [(spins, 3), (spins_aside, 4)])
def test_a_body_that_goes_round_for_ever_is_ended_and_told_where(monkeypatch, flow, line):
    monkeypatch.setattr("wingbeat.runtime.replayloop.TURNS_MAX", 1000)
    error = told(flow)
    assert (error.code, error.retryable, "base_events" in error.trace) == ("NonRetryable", False, False)
    assert "goes round without waiting for anything" in error.message
    assert f"(test_turn.py:{flow.fn.__code__.co_firstlineno + line})" in error.message


@workflow
async def patient(n: int) -> int:
    for _ in range(900):
        await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            await one(n)
    except TimeoutError:
        pass
    for _ in range(900):
        await asyncio.sleep(0)
    await asyncio.sleep(1e-9)  # which is no time, where the clock says how long ago 1970 was
    return n


def test_a_body_that_is_told_something_between_may_go_round_again(monkeypatch):
    monkeypatch.setattr("wingbeat.runtime.replayloop.TURNS_MAX", 1000)
    now = 1_800_000_000.0
    assert run(patient, Replay(now, history=(Recorded(at=now + 10),))) == 3


@workflow
async def wrong_type(n: int) -> int:
    return await one("a")


@workflow
async def too_many(n: int) -> int:
    return await one(1, 2)


@workflow
async def misspelt(n: int) -> int:
    return await one(nn=1)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (wrong_type, "argument 'n': expected int, got str 'a' (test_turn.py:"),
        (too_many, "takes 1 argument, and got 2 (test_turn.py:"),
        (misspelt, "has no input 'nn' (test_turn.py:"),
    ],
)
def test_wrong_arguments_are_told_without_frames_of_ours(flow, message):
    error = told(flow)
    assert message in error.message
    assert error.message.count("test_turn.py:") == 1
    assert "src/wingbeat" not in error.trace
    assert "During handling" not in error.trace
    assert "direct cause" not in error.trace


@workflow
async def awaited(n: int) -> int:
    return sum(await gather(one(n), one(2)))


def test_calls_that_are_awaited_are_made():
    assert isinstance(run(awaited), Suspended)


async def test_a_body_run_as_plain_python_is_told_too():
    with pytest.raises(Exception, match="is not awaited: write 'return await"):
        await helped(3)
