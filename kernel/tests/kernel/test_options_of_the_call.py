"""Options that are functions of the call, as a user meets them: real memory limits, real failures."""

import pytest

from wingbeat import ExecutionFailed, Kernel
from wingbeat.kernel import compile_file

FILE = """
from wingbeat import Resources, Timeout, map_task, task, where, workflow


@task(retries=3, resources=lambda attempt: Resources(mem="96Mi" * 2**attempt))
def load(megabytes: int) -> int:
    return len(bytearray(megabytes * 2**20))


@task(
    retries=lambda error: where(error.code == "OutOfMemory", 1, 0), resources=lambda inputs: Resources(mem=inputs.mem)
)
def fixed(mem: int) -> int:
    return len(bytearray(2**30))


@task(timeout=lambda inputs: Timeout(run=1 / inputs.n))
def inverse(n: int) -> int:
    return n


@task(retries=2, timeout=lambda attempt: Timeout(run=10 / (1 - attempt)))
def twice(n: int) -> int:
    raise ValueError("never")


@workflow
def loading(megabytes: int) -> int:
    return load(megabytes)


@workflow
def failing(mem: int) -> int:
    return fixed(mem)


@workflow
def inverses(ns: list[int]) -> list[int]:
    return map_task(inverse)(n=ns)


@workflow
def one_inverse(n: int) -> int:
    return inverse(n)


@workflow
def flaky(n: int) -> int:
    return twice(n)
"""


@pytest.fixture
async def launch(tmp_path):
    (tmp_path / "wingbeat.toml").touch()
    (tmp_path / "flows.py").write_text(FILE)
    async with Kernel(tmp_path / "home") as kernel:

        async def launched(name, **inputs):
            closure = compile_file(str(tmp_path / "flows.py"), name, tmp_path / "home")
            return await kernel.launch(closure, inputs)

        yield launched


async def attempts(execution):
    return (await execution.describe()).nodes[0].attempts


async def test_an_attempt_that_ran_out_of_memory_is_followed_by_one_with_more(launch):
    execution = await launch("loading", megabytes=250)
    assert await execution.result() == 250 * 2**20
    made = await attempts(execution)
    assert [a.chosen["resources.memory_bytes"] / 2**20 for a in made] == [96.0, 192.0, 384.0]
    assert [a.error.code for a in made[:-1]] == ["OutOfMemory", "OutOfMemory"]


async def test_what_was_chosen_for_items_that_have_ended_is_in_the_journal(launch):
    execution = await launch("inverses", ns=[1, 2])
    assert await execution.result() == [1, 2]
    chosen = {e.node: e.evidence["chosen"] async for e in execution.events() if "chosen" in e.evidence}
    assert chosen == {"n0.0": {"timeout.run_s": 1.0}, "n0.1": {"timeout.run_s": 0.5}}


async def test_the_last_error_decides_over_retries(launch):
    execution = await launch("failing", mem=100 * 2**20)
    with pytest.raises(ExecutionFailed, match="Out of memory"):
        await execution.result()
    assert len(await attempts(execution)) == 2


async def test_a_formula_that_gives_nothing_fails_the_call_and_names_the_option(launch):
    execution = await launch("one_inverse", n=0)
    with pytest.raises(ExecutionFailed, match=r"Option timeout\.run_s: 1 / 0 is too large or no number"):
        await execution.result()
    assert (await execution.describe()).error.code == "OptionError"
    assert await attempts(execution) == []


async def test_an_item_for_which_it_gives_nothing_fails_its_map(launch):
    execution = await launch("inverses", ns=[1, 0, 2])
    with pytest.raises(ExecutionFailed, match="item 1"):
        await execution.result()
    assert await (await launch("inverses", ns=[1, 3, 2])).result() == [1, 3, 2]


async def test_a_formula_that_gives_nothing_for_another_attempt_says_so(launch):
    execution = await launch("flaky", n=1)
    with pytest.raises(ExecutionFailed, match=r"never.*\)\. There is no other attempt: option timeout\.run_s"):
        await execution.result()
    assert len(await attempts(execution)) == 1
