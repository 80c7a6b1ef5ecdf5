"""The inline executor in a kernel."""

import asyncio

import pytest

from wingbeat import ExecutionFailed, Kernel, task


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
