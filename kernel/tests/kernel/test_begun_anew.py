"""Bodies of dynamic workflows that fail and are begun anew: what succeeded is kept, and nothing that followed from a failure is."""

import asyncio
import importlib
import itertools
import sys
import textwrap

import pytest

from wingbeat import ExecutionFailed, Kernel

COUNT = itertools.count()
SOURCE = """
    import asyncio, os, signal, time
    from pathlib import Path
    from wingbeat import ExecutionFailed, approve, current, gather, map_task, sleep, task, workflow

    ROOT = Path(os.environ["TEST_ROOT"])

    def mark(text):
        with (ROOT / "marks").open("a") as file:
            file.write(f"{text}\\n")

    def first_time(name):
        try:
            (ROOT / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    @task
    def flaky(n: int) -> int:
        if first_time(f"flaky-{n}"):
            raise ValueError("down")
        return n

    @task
    def works(n: int) -> int:
        mark(f"works {n}")
        return n

    @task
    def naps_at_first(n: int) -> int:
        if first_time("nap"):
            time.sleep(30)
        return n

    @workflow(retries=2)
    async def finally_calls(n: int) -> int:
        try:
            return await flaky(n)
        finally:
            await works(n)

    @workflow(retries=2)
    async def notes_and_raises(n: int) -> int:
        try:
            return await flaky(n)
        except ExecutionFailed:
            await works(7)
            raise

    @workflow(retries=2)
    async def falls_back_and_fails_later(n: int) -> int:
        try:
            found = await flaky(n)
        except ExecutionFailed:
            found = 100
        found = await works(found)
        return found + await flaky(n + 1)

    @workflow(retries=2)
    async def goes_on_in_a_loop(n: int) -> int:
        done = 0
        for i in range(n):
            try:
                done += await flaky(i)
            except ExecutionFailed:
                await works(i)
        await flaky(n)
        return done

    @workflow(retries=1)
    async def gives_up_by_its_clock(n: int) -> int:
        async with asyncio.timeout(1.5):
            return await naps_at_first(n)

    @workflow(retries=1)
    async def maps(n: int) -> list[int]:
        return await map_task(flaky)([n])

    @workflow(retries=1)
    async def numbered(n: int) -> int:
        await works(current().attempt)
        return await flaky(n)

    async def helper(n):
        return await works(await works(n) + 10)

    @workflow(retries=1)
    async def side_by_side(n: int) -> int:
        found = await gather(helper(3), helper(2), helper(1))
        return sum(found) + await flaky(n)

    @workflow(retries=1)
    async def asked_once(n: int) -> int:
        await approve("go", True)
        return await flaky(n)

    @workflow
    async def is_killed_in_each_turn(n: int) -> int:
        found = 0
        for i in range(n):
            if first_time(f"turn-{i}"):
                os.kill(os.getpid(), signal.SIGKILL)
            found += await works(i)
        return found
"""


RECOVERED = """
    import os
    from pathlib import Path
    from wingbeat import LaunchPlan, map_task, task, workflow

    ROOT = Path(os.environ["TEST_ROOT"])

    def first_time(name):
        try:
            (ROOT / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def mark(text):
        with (ROOT / "marks").open("a") as file:
            file.write(f"{text}\\n")

    @task
    def draw(n: int) -> int:
        mark("draw")
        return int.from_bytes(os.urandom(4))

    @task
    def draw_or_fail(n: int) -> int:
        if n == 2 and first_time("draw"):
            raise ValueError("not at first")
        return draw.fn(n)

    @task
    def flaky(n: int, drawn: int) -> int:
        mark("flaky")
        if first_time(f"flaky-{n}"):
            raise ValueError("not at first")
        return drawn

    @task
    def more(n: int) -> int:
        mark("more")
        return n

    @task
    def last(n: int) -> int:
        if not (ROOT / "mended").exists():
            raise ValueError("not yet")
        return n

    @workflow
    def called(n: int) -> int:
        return flaky(n, draw(n))

    @workflow
    async def awaited(n: int) -> int:
        return await flaky(n, await draw(n))

    plan = LaunchPlan(called, name="called")

    @workflow(retries=1)
    async def static(n: int) -> int:
        return await last(await more(await called(n)))

    @workflow(retries=1)
    async def dynamic(n: int) -> int:
        return await last(await more(await awaited(n)))

    @workflow(retries=1)
    async def child(n: int) -> int:
        return await last(await more(await plan(n)))

    @workflow(retries=1)
    async def tasks(n: int) -> int:
        return await last(await more(sum(await map_task(draw_or_fail)([1, 2, 3]))))

    @workflow(retries=1)
    async def children(n: int) -> int:
        return await last(await more(sum(await map_task(plan)([1]))))
"""


@pytest.fixture
def flows(request, tmp_path, monkeypatch):
    name = f"anew_{next(COUNT)}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(getattr(request, "param", SOURCE)))
    monkeypatch.setenv("TEST_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path / "home", discover=False) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "outputs", "marks"),
    [
        ("finally_calls", 3, ["works 3"]),  # of the first try: it is the same call
        ("notes_and_raises", 3, ["works 7"]),
        ("falls_back_and_fails_later", 7, ["works 100", "works 3"]),  # another value, so another call
        ("goes_on_in_a_loop", 3, ["works 0", "works 1", "works 2"]),
        ("gives_up_by_its_clock", 3, []),
        ("maps", [3], []),
        ("numbered", 3, ["works 0", "works 1"]),
    ],
)
async def test_a_body_that_is_begun_anew_gets_to_its_end(kernel, flows, tmp_path, name, outputs, marks):
    execution = await kernel.launch(getattr(flows, name), {"n": 3})
    assert await execution.result() == outputs
    told = tmp_path / "marks"
    assert (told.read_text().splitlines() if told.exists() else []) == marks


async def test_helpers_side_by_side_keep_what_succeeded_whatever_ended_first(kernel, flows, tmp_path):
    execution = await kernel.launch(flows.side_by_side, {"n": 3})
    assert await execution.result() == 39
    marks = (tmp_path / "marks").read_text().splitlines()
    assert sorted(marks) == sorted(f"works {n}" for n in (1, 2, 3, 11, 12, 13)), "each once"


async def test_an_answered_gate_is_not_asked_again(kernel, flows):
    execution = await kernel.launch(flows.asked_once, {"n": 3}, "mine")
    while not any(node.gate for node in (await execution.describe()).nodes):
        await asyncio.sleep(0.01)
    await kernel.signal("mine", "go", True)
    assert await execution.result() == 3


async def test_a_long_body_may_lose_more_turns_than_one_step_of_it_may(kernel, flows):
    execution = await kernel.launch(flows.is_killed_in_each_turn, {"n": 6})
    assert await execution.result() == 15


@pytest.mark.parametrize("flows", [RECOVERED], indirect=True, ids=["recovered"])
@pytest.mark.parametrize("name", ["static", "dynamic", "child", "tasks", "children"])
async def test_recover_takes_what_came_of_the_last_try(kernel, flows, tmp_path, name):
    """And of no other: values of the first one belong to what had failed then."""
    execution = await kernel.launch(getattr(flows, name), {"n": 3}, "mine")
    with pytest.raises(ExecutionFailed):
        await execution.result()
    views = (await execution.describe()).nodes
    (seen,) = {node.outputs["o0"].value for node in views if node.id == "n0.more-0"}
    (tmp_path / "marks").unlink()
    (tmp_path / "mended").touch()
    again = await kernel.recover("mine")
    assert await again.result() == seen
    assert not (tmp_path / "marks").exists(), "nothing but the last is run again"
