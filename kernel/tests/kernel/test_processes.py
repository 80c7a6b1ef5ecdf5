"""Several processes on one home, with tasks in processes of their own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from wingbeat import Kernel
from wingbeat.base.errors import ConfigurationError
from wingbeat.kernel import remote

PROJECT = """
    import os, time
    from wingbeat import task, workflow

    @task
    def wait_for(path: str) -> int:
        with open(path + ".marks", "a") as file:
            file.write("x")
        while not os.path.exists(path):
            time.sleep(0.01)
        return 20

    @task
    def add(n: int) -> int:
        return n + 1

    @task
    def wrong(n: int) -> int:
        return {}["key"]

    @workflow
    def waits(path: str) -> int:
        return add(wait_for(path))

    @workflow
    def breaks() -> int:
        return wrong(add(1))
"""

HOLDER = """
    import asyncio, sys
    from wingbeat import Kernel
    from project import waits

    async def main():
        async with Kernel("home") as kernel:
            execution = await kernel.launch(waits, {"path": sys.argv[1]}, name="mine")
            while (await execution.describe()).nodes[0].phase != "RUNNING":
                await asyncio.sleep(0.01)
            print("running", flush=True)
            await execution.result()

    asyncio.run(main())
"""

GUEST = """
    import asyncio, sys
    from wingbeat import Kernel
    from project import waits

    async def main():
        async with Kernel("home") as kernel:
            execution = await kernel.launch(waits, {"path": sys.argv[1]}, name="mine")
            assert not execution.created
            seen = []
            async def follow():
                async for event in execution.events():
                    if not seen:
                        print("following", flush=True)
                    seen.append(event.cursor)
            following = asyncio.create_task(follow())
            print("result", await execution.result(), flush=True)
            await following
            assert seen == list(range(len(seen))), seen
            assert all(len(n.attempts) == 1 for n in (await execution.describe()).nodes)

    asyncio.run(main())
"""

BREAKS = """
    from wingbeat import ExecutionFailed, run
    from project import breaks

    try:
        run(breaks, home="home")
    except ExecutionFailed as error:
        print(error.node, error.code, error.kind, error.message)
"""


@pytest.fixture
def project(tmp_path):
    for name, text in (("project", PROJECT), ("holder", HOLDER), ("guest", GUEST), ("breaks", BREAKS)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def start(project, name, *args):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("WINGBEAT_")}
    return subprocess.Popen(
        [sys.executable, f"{name}.py", *args], cwd=project, env=variables, stdout=subprocess.PIPE, text=True
    )


def test_when_the_holder_is_killed_another_process_goes_on_and_nothing_runs_twice(project):
    gate = project / "gate"
    with start(project, "holder", str(gate)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "running\n"
        with start(project, "guest", str(gate)) as guest:
            assert guest.stdout is not None
            assert guest.stdout.readline() == "following\n"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            gate.touch()
            assert guest.stdout.readline() == "result 21\n"
            assert guest.wait(30) == 0
    assert (project / "gate.marks").read_text() == "x"


@contextlib.contextmanager
def stopped(process):
    """The process does nothing meanwhile, but the system takes connections for it."""
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def test_a_home_whose_holder_is_stopped_is_refused_with_its_process_id(project, monkeypatch):
    monkeypatch.setattr(remote, "ANSWER_S_MAX", 0.2)
    with start(project, "holder", str(project / "gate")) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "running\n"
        with stopped(holder):
            with pytest.raises(
                ConfigurationError, match="Another process holds the home .* and does not answer"
            ) as told:
                async with Kernel(project / "home"):
                    pass
            assert f"process id is {holder.pid}." in told.value.hint
            async with Kernel(project / "home", read_only=True) as reader:
                assert (await (await reader.get("mine")).describe()).phase == "RUNNING"
        monkeypatch.undo()
        async with Kernel(project / "home") as kernel:
            (project / "gate").touch()
            assert await (await kernel.get("mine")).wait() == "SUCCEEDED"


async def test_a_holder_that_is_stopped_later_is_told_to_those_who_wait_and_loses_nothing(project, monkeypatch, caplog):
    with start(project, "holder", str(project / "gate")) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "running\n"
        monkeypatch.setattr(remote, "WATCH_S", 0.02)
        async with Kernel(project / "home") as kernel:
            waiting = asyncio.create_task((await kernel.get("mine")).wait())
            monkeypatch.setattr(remote, "ANSWER_S_MAX", 0.2)
            with stopped(holder):
                while not caplog.messages:
                    await asyncio.sleep(0.01)
                (message,) = caplog.messages
                assert f"{project / 'home'} (process id {holder.pid}) does not answer; waiting for it." in message
                assert not waiting.done()
            while len(caplog.messages) < 2:
                await asyncio.sleep(0.01)
            assert caplog.messages[1].endswith("answers again.")
            (project / "gate").touch()
            assert await waiting == "SUCCEEDED"


def test_an_error_of_a_task_in_its_own_process_arrives_whole(project):
    with start(project, "breaks") as program:
        out, _ = program.communicate(timeout=50)
    assert out == "n1 KeyError USER 'key' (project.py:19)\n"
