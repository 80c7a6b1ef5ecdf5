"""The inline executor in a kernel."""

import asyncio
from itertools import pairwise

import pytest

from wingbeat import ExecutionFailed, Kernel, map_task, task, workflow
from wingbeat.builtin.inline import YIELD_EVERY


@task
async def awaits_what_was_cancelled(n: int) -> int:
    waited = asyncio.get_running_loop().create_future()
    waited.cancel()
    await waited
    return n


async def test_a_function_that_awaits_what_was_cancelled_fails(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=[awaits_what_was_cancelled]) as kernel:
        execution = await kernel.launch(awaits_what_was_cancelled, {"n": 1})
        with pytest.raises(ExecutionFailed) as failed:
            await asyncio.wait_for(execution.result(), 5)
        assert failed.value.code == "CancelledError"


@task
def raises_that_it_was_cancelled(n: int) -> int:
    raise asyncio.CancelledError


async def test_a_plain_function_that_says_that_it_was_cancelled_fails(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=[raises_that_it_was_cancelled]) as kernel:
        execution = await kernel.launch(raises_that_it_was_cancelled, {"n": 1})
        with pytest.raises(ExecutionFailed) as failed:
            await asyncio.wait_for(execution.result(), 5)
        assert failed.value.code == "CancelledError"


CALLED: list[int] = []


@task
def counts(n: int) -> int:
    CALLED.append(n)
    return n


@workflow
def numbers(ns: list[int]) -> list[int]:
    return map_task(counts)(n=ns)


async def test_others_have_their_turn_while_plain_functions_run(tmp_path):
    turns = []

    async def other():
        while True:
            turns.append(len(CALLED))
            await asyncio.sleep(0)

    async with Kernel(tmp_path, discover=False, inline=[counts]) as kernel:
        beside = asyncio.create_task(other())
        execution = await kernel.launch(numbers, {"ns": list(range(2000))})
        assert await asyncio.wait_for(execution.result(), 30) == list(range(2000))
        beside.cancel()
    assert len(CALLED) == 2000
    assert max(after - before for before, after in pairwise(turns)) <= YIELD_EVERY
