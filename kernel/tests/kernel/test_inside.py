"""What tasks say of themselves, as an embedder sees it; and checkpoints across retries and recoveries, through the engine."""

import asyncio
import importlib
import sys
import textwrap
import types

import pytest

from wingbeat import ExecutionFailed, Kernel, current, task, workflow
from wingbeat.runtime.load import import_module

SETTINGS = {"process": {"parent_idle_s": 0.3}}
STATE = types.SimpleNamespace()


@task
async def slowly(n: int) -> int:
    current().progress(0.5, "half")
    STATE.attempts.append(current().attempt)
    await STATE.gate.wait()
    current().progress(1, "whole")
    current().log.info("done")
    return n


@task(retries=2)
def counted(n: int) -> int:
    count = int(current().checkpoint.load("count") or 0) + 1
    current().checkpoint.save("count", str(count).encode())
    if count < STATE.wanted:
        raise ValueError(count)
    return count


@workflow
def both(n: int) -> int:
    return counted(slowly(n))


@pytest.fixture(autouse=True)
def _state():
    STATE.gate, STATE.attempts, STATE.wanted = asyncio.Event(), [], 3


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Write a module and import it."""
    names = []

    def write(source):
        name = f"inside_{request.node.name.partition('[')[0]}"
        sys.modules.pop(name, None)
        names.append(name)
        (tmp_path / "project").mkdir(exist_ok=True)
        (tmp_path / "project" / "wingbeat.toml").touch()
        (tmp_path / "project" / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        return import_module(name)

    monkeypatch.syspath_prepend(tmp_path / "project")
    yield write
    for name in names:
        sys.modules.pop(name, None)


async def until(found, what="it"):
    async with asyncio.timeout(30):
        while not (value := await found()):
            await asyncio.sleep(0.02)
    return value


async def test_inline_tasks_say_how_far_they_are(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=[slowly, counted]) as kernel:
        execution = await kernel.launch(both, {"n": 1}, name="e1")

        async def said():
            return (await execution.describe()).nodes[0].progress

        assert ((await until(said)).fraction, (await said()).text) == (0.5, "half")
        async with Kernel(tmp_path, discover=False, read_only=True) as reader:
            assert (await (await reader.get("e1")).describe()).nodes[0].progress.text == "half"
        STATE.gate.set()
        assert await execution.result() == 3
        node = (await execution.describe()).nodes[0]
        assert (node.progress.fraction, node.progress.text) == (1.0, "whole")
        assert node.attempts[0].evidence["progress"]["text"] == "whole"
        assert kernel.log_path("e1", "n0", 0).read_text().endswith("INFO done\n")
    async with Kernel(tmp_path, discover=False, read_only=True) as reader:
        assert (await (await reader.get("e1")).describe()).nodes[0].progress.text == "whole"


async def test_two_inline_tasks_at_once_are_told_apart(tmp_path):
    async with Kernel(tmp_path, discover=False, inline=[slowly]) as kernel:
        one, two = [await kernel.launch(slowly, {"n": n}, name=f"e{n}") for n in range(2)]
        await until(lambda: asyncio.sleep(0, len(STATE.attempts) == 2))
        STATE.gate.set()
        await asyncio.gather(one.result(), two.result())
        assert {p.parent.parent.name for p in (tmp_path / "attempts").rglob("report")} == {"e0", "e1"}


async def test_an_inline_task_that_failed_is_recovered_with_its_checkpoint(tmp_path):
    STATE.gate.set()
    STATE.wanted = 7
    async with Kernel(tmp_path, discover=False, inline=[slowly, counted]) as kernel:
        first = await kernel.launch(both, {"n": 1}, name="e1")
        with pytest.raises(ExecutionFailed, match="3"):
            await first.result()
        second = await kernel.recover("e1")
        with pytest.raises(ExecutionFailed, match="6"):
            await second.result()
        assert await (await kernel.recover(second.id)).result() == 7
        STATE.wanted = 4
        assert await (await kernel.recover("e1")).result() == 4  # what it left is still its own
        STATE.wanted = 1
        assert await (await kernel.launch(both, {"n": 1})).result() == 1


SOURCE = """
    import os, signal, time
    from wingbeat import current, map_task, task, workflow

    def count(folder: str, limit: int) -> int:
        state = current().checkpoint
        number = int(state.load("n") or 0) + 1
        state.save("n", str(number).encode())
        current().progress(number / 10, f"count {{number}}")
        if number < limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    @task
    def killed(folder: str, limit: int) -> int:
        number = count(folder, 3)
        if not os.path.exists(os.path.join(folder, "go")):
            raise ValueError(f"not yet {version}")
        return number

    @workflow
    def flow(folder: str) -> int:
        return killed(folder, {limit})

    @task
    def item(folder: str, n: int) -> int:
        number = int(current().checkpoint.load("n") or n) + 1
        current().checkpoint.save("n", str(number).encode())
        if n == 20 and not os.path.exists(os.path.join(folder, "go")):
            raise ValueError(n)
        return number

    @workflow
    def mapped(folders: list[str], ns: list[int]) -> list[int]:
        return map_task(item, concurrency=1)(folder=folders, n=ns)

    @task
    def plain(n: int) -> int:
        return n + 1

    @workflow
    async def dynamic(n: int) -> list[str]:
        me = current()
        seen = (me.checkpoint.load("turns") or b"") + b"x"
        me.checkpoint.save("turns", seen)
        n = await plain(await plain(n))
        return [f"{{me.node}} {{me.task.rpartition('.')[2]}}", seen.decode(), str(n)]
"""


async def test_a_checkpoint_survives_kills_and_is_recovered_with_new_code(tmp_path, module):
    folder = tmp_path / "data"
    folder.mkdir()
    flows = module(SOURCE.format(version=1, limit=3))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        first = await kernel.launch(flows.flow, {"folder": str(folder)}, name="e1")
        with pytest.raises(ExecutionFailed, match="not yet 1"):
            await first.result()
        node = (await first.describe()).nodes[0]
        assert [a.error.code for a in node.attempts] == ["Killed", "Killed", "ValueError"]
        assert [a.progress.text for a in node.attempts] == ["count 1", "count 2", "count 3"]
        (folder / "go").touch()
        flows = module(SOURCE.format(version=2, limit=3))
        second = await kernel.recover("e1", flows.flow)
        assert await second.result() == 4
        assert await (await kernel.launch(flows.flow, {"folder": str(folder)})).result() == 3  # from nothing
        flows = module(SOURCE.format(version=3, limit=3))
        assert await (await kernel.recover(second.id, flows.flow)).result() == 3  # where it succeeded, it is done with


async def test_other_inputs_do_not_go_on_with_a_checkpoint(tmp_path, module):
    folder = tmp_path / "data"
    folder.mkdir()
    flows = module(SOURCE.format(version=1, limit=3))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        with pytest.raises(ExecutionFailed):
            await (await kernel.launch(flows.flow, {"folder": str(folder)}, name="e1")).result()
        (folder / "go").touch()
        flows = module(SOURCE.format(version=1, limit=4))
        assert await (await kernel.recover("e1", flows.flow)).result() == 3


async def test_items_of_maps_have_their_own(tmp_path, module):
    folder = tmp_path / "data"
    folder.mkdir()
    flows = module(SOURCE.format(version=1, limit=3))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        with pytest.raises(ExecutionFailed):
            inputs = {"folders": [str(folder)] * 3, "ns": [10, 20, 30]}
            await (await kernel.launch(flows.mapped, inputs, name="e1")).result()
        (folder / "go").touch()
        assert await (await kernel.recover("e1")).result() == [11, 22, 31]


async def test_the_body_of_a_dynamic_workflow_is_inside(tmp_path, module):
    flows = module(SOURCE.format(version=1, limit=3))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        value = await (await kernel.launch(flows.dynamic, {"n": 1})).result()
        assert value == ["n0 dynamic", "xxx", "3"]


async def test_progress_of_a_process_is_seen_live_also_after_the_kernel_was_opened_anew(tmp_path, module):
    flows = module(
        """
        import os, time
        from wingbeat import current, task

        @task
        def work(gate: str) -> int:
            current().progress(0.25, "a quarter")
            while not os.path.exists(gate):
                time.sleep(0.01)
            return 1
        """
    )
    home = tmp_path / "home"

    async def seen(kernel):
        async def said():
            return (await (await kernel.get("e1")).describe()).nodes[0].progress

        return (await until(said)).text

    async with Kernel(home, discover=False, settings=SETTINGS) as kernel:
        await kernel.launch(flows.work, {"gate": str(tmp_path / "gate")}, name="e1")
        assert await seen(kernel) == "a quarter"
    async with Kernel(home, discover=False, read_only=True) as reader:
        assert await seen(reader) == "a quarter"
    async with Kernel(home, discover=False, settings=SETTINGS) as kernel:
        assert await seen(kernel) == "a quarter"
        (tmp_path / "gate").touch()
        assert await (await kernel.get("e1")).result() == 1
        assert await seen(kernel) == "a quarter"


async def test_how_far_it_was_when_its_time_was_over_is_seen(tmp_path, module):
    flows = module(
        """
        import time
        from wingbeat import current, task

        @task(timeout=0.5)
        def work() -> int:
            current().progress(0.25, "a quarter")
            current().deck.text("so far")
            time.sleep(60)
            return 1
        """
    )
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        execution = await kernel.launch(flows.work, name="e1")
        with pytest.raises(ExecutionFailed) as failed:
            await execution.result()
        assert failed.value.code == "TimedOut"
        (attempt,) = (await execution.describe()).nodes[0].attempts
        assert (attempt.progress.fraction, attempt.progress.text) == (0.25, "a quarter")
        assert attempt.deck == str(kernel.deck_path("e1", "n0", 0))


STEPS = """
    import os, signal
    from wingbeat import step, task, workflow

    def mark(folder: str, what: str) -> None:
        with open(os.path.join(folder, "marks"), "a") as file:
            file.write(what + " ")

    @step
    def fetch(folder: str, n: int) -> list[int]:
        mark(folder, f"fetch-{{n}}")
        return [n, n]

    @task
    def work(folder: str) -> int:
        total = 0
        for n in range(4):
            total += sum(fetch(folder, n))
            if n == 2 and not os.path.exists(os.path.join(folder, "killed")):
                open(os.path.join(folder, "killed"), "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
        if {bug}:
            raise ValueError("a bug")
        return total

    @task
    def plain(n: int) -> int:
        return n + 1

    @workflow
    async def dynamic(folder: str) -> int:
        found = fetch(folder, 9)
        return await plain(await plain(found[0]))
"""


async def test_steps_are_called_once_across_kills_retries_and_recover(tmp_path, module):
    folder = tmp_path / "data"
    folder.mkdir()
    flows = module(STEPS.format(bug=True))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        with pytest.raises(ExecutionFailed, match="a bug"):
            await (await kernel.launch(flows.work, {"folder": str(folder)}, name="e1")).result()
        flows = module(STEPS.format(bug=False))
        assert await (await kernel.recover("e1", flows.work)).result() == 12
        assert (folder / "marks").read_text() == "fetch-0 fetch-1 fetch-2 fetch-3 "


async def test_steps_in_the_body_of_a_dynamic_workflow_are_called_once(tmp_path, module):
    folder = tmp_path / "data"
    folder.mkdir()
    flows = module(STEPS.format(bug=False))
    async with Kernel(tmp_path / "home", discover=False, settings=SETTINGS) as kernel:
        assert await (await kernel.launch(flows.dynamic, {"folder": str(folder)})).result() == 11
        assert (folder / "marks").read_text() == "fetch-9 "
