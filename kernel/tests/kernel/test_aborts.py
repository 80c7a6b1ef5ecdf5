"""One abort has failure handlers run to their end, whatever happens meanwhile; another stops those that run."""

import asyncio
import importlib
import itertools
import sys
import textwrap
from types import SimpleNamespace

import pytest

from wingbeat import Kernel
from wingbeat.base.ids import child_execution_id
from wingbeat.kernel.remote import HolderGone
from wingbeat.kernel.shared import SharedEngine
from wingbeat.spec.phase import ExecutionPhase

COUNT = itertools.count()
SOURCE = """
    import os, time
    from pathlib import Path
    from wingbeat import Failure, LaunchPlan, map_task, task, workflow

    ROOT = Path(os.environ["TEST_ROOT"])

    def mark(text):
        with (ROOT / "marks").open("a") as file:
            file.write(f"{text}\\n")

    @task
    def cleans(error: Failure) -> None:
        mark("cleaning")
        while not (ROOT / "go").exists():
            time.sleep(0.01)
        mark("clean")

    @task
    def long(n: int) -> int:
        mark("long")
        time.sleep(60)
        return n

    @workflow(on_failure=cleans)
    def simple(n: int) -> int:
        return long(n)

    plan = LaunchPlan(simple, name="simple")

    @workflow
    def launches(n: int) -> int:
        return plan(n)

    @workflow
    def launches_many(n: int) -> list[int]:
        return map_task(plan)([n])

    @workflow
    def calls(n: int) -> int:
        return simple(n)

    @workflow
    async def awaits(n: int) -> int:
        return await simple(n)
"""


@pytest.fixture
def flows(tmp_path, monkeypatch):
    name = f"aborts_{next(COUNT)}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.setenv("TEST_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]


async def marked(root, text):
    while not (root / "marks").exists() or text not in (root / "marks").read_text().splitlines():
        await asyncio.sleep(0.01)


async def cleaning(kernel, flow, root):
    """An execution that was aborted, and is being cleaned up after."""
    execution = await kernel.launch(flow, {"n": 1}, "mine")
    await marked(root, "long")
    aborted = asyncio.create_task(execution.abort("once"))
    await marked(root, "cleaning")
    return aborted


@pytest.mark.parametrize("name", ["launches", "launches_many", "calls", "awaits", "simple"])
async def test_the_handler_of_what_was_aborted_once_goes_on_when_its_kernel_is_another_one(flows, tmp_path, name):
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        aborted = await cleaning(kernel, getattr(flows, name), tmp_path)
        aborted.cancel()
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        await asyncio.sleep(0.3)  # in which it would be stopped
        (tmp_path / "go").touch()
        assert await kernel.engine.wait("mine") is ExecutionPhase.ABORTED
    assert (tmp_path / "marks").read_text().splitlines() == ["long", "cleaning", "clean"]


@pytest.mark.parametrize("name", ["launches", "launches_many", "calls", "awaits", "simple"])
async def test_a_second_abort_stops_the_handler_wherever_it_runs(flows, tmp_path, name):
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        aborted = await cleaning(kernel, getattr(flows, name), tmp_path)
        await (await kernel.get("mine")).abort("twice")
        await aborted
        node = {"launches": "n0", "launches_many": "n0.0"}.get(name)
        of = "mine" if node is None else child_execution_id("mine", node)
        phases = {each.task: each.phase for each in (await kernel.engine.describe(of)).nodes}
    assert {phase for task, phase in phases.items() if task.endswith(".cleans")} == {"ABORTED"}
    assert (tmp_path / "marks").read_text().splitlines() == ["long", "cleaning"]


@pytest.mark.parametrize(("phase", "asked"), [("ABORTING", 0), ("RUNNING", 1)])
async def test_an_abort_is_asked_for_once_if_who_holds_the_home_has_ended_meanwhile(phase, asked):
    calls = []

    def engine(gone):
        async def abort(execution, reason):
            calls.append(gone)
            if gone:
                raise HolderGone("killed")

        async def wait(execution):
            calls.append("waited")

        async def describe(execution, *, nodes):
            return SimpleNamespace(phase=ExecutionPhase(phase))

        return SimpleNamespace(abort=abort, wait=wait, describe=describe)

    async def through(call):
        with pytest.raises(HolderGone):
            await call(engine(gone=True))
        await call(engine(gone=False))

    shared = object.__new__(SharedEngine)
    shared._through = through
    await shared.abort("mine", "once")
    assert calls == [True, False] if asked else calls == [True, "waited"]
