"""Mistakes in the bodies of dynamic workflows: what is told of calls that nobody awaits, and of wrong arguments."""

import asyncio
import contextvars
from types import SimpleNamespace

import pytest

from wingbeat import gather, map_task, task, workflow
from wingbeat.contracts.executor import Replay, Suspended
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


def run(flow):
    """The first turn of a body, in a context of its own."""
    turn = Turn(Replay(0.0), SimpleNamespace(put_bytes=None))
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
