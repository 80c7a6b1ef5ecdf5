"""Warm parents: what they import, when they cannot be forked, and what happens when they die."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.executor import Failed, Succeeded
from wingbeat.spec.entities import Isolation
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio


async def test_a_module_is_imported_once_for_many_attempts(world, sink):
    world.module("m", "import os\nPID = os.getpid()\ndef f() -> bool:\n    return PID == os.getppid() != os.getpid()\n")
    executor = await world.executor(sink, slots=1)
    for n in range(3):
        await executor.submit(world.request("m:f", f"x1/n{n}/0"))
    for n in range(3):
        assert (await sink.outcome(f"x1/n{n}/0")).outputs["o0"] == Inline(True)


async def test_isolation_spawn_gives_a_fresh_interpreter_and_never_imports_in_the_parent(world, sink):
    world.module("m", "import os\nPID = os.getpid()\ndef f() -> bool:\n    return PID == os.getpid()\n")
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f", isolation=Isolation.SPAWN))
    outcome = await sink.outcome("x1/n0/0")
    assert outcome.outputs["o0"] == Inline(True)
    assert outcome.evidence["process"].startswith("spawn")


async def test_a_module_that_starts_threads_at_import_is_started_by_spawn_and_says_so(world, sink):
    world.module(
        "m",
        """
        import threading, time, os
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        PID = os.getpid()
        def f() -> bool:
            return PID == os.getpid()
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f"))
    outcome = await sink.outcome("x1/n0/0")
    assert outcome.outputs["o0"] == Inline(True)
    assert "m started threads" in outcome.evidence["process"]
    assert "spawn" in sink.started["x1/n0/0"][0]["process"]


async def test_threads_that_end_themselves_at_a_fork_do_not_hinder_it(world, sink):
    world.module(
        "m",
        """
        import os, threading
        stop = threading.Event()
        worker = threading.Thread(target=stop.wait, daemon=True)
        worker.start()
        def end():
            stop.set()
            worker.join()
        os.register_at_fork(before=end)
        def f() -> int:
            return 1
        """,
    )
    outcome = await world.run(world.request("m:f"))
    assert outcome.evidence["process"] == "fork"


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("os._exit(3)", "Exited", "code 3"),
        ("os.kill(os.getpid(), 9)", "Killed", "SIGKILL"),
        ("os.abort()", "Crashed", "SIGABRT"),
        ("sys.exit(2)", "SystemExit", "sys.exit"),
        ("raise OSError('broken')", "OSError", "broken"),
    ],
)
async def test_a_module_that_dies_at_import_is_its_own_attempts_error_and_nobody_elses(world, sink, line, code, word):
    world.module("m", f"import os, sys\n{line}\ndef f() -> int:\n    return 1\n")
    world.module("good", "def f() -> int:\n    return 1\n")
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f", "x1/bad/0"))
    await executor.submit(world.request("good:f", "x1/good/0"))
    bad, good = await sink.outcome("x1/bad/0"), await sink.outcome("x1/good/0")
    assert isinstance(good, Succeeded)
    assert (bad.error.code, word in bad.error.message) == (code, True)


async def test_a_hanging_import_hinders_no_other_attempt(world, sink):
    world.module("m", "import time\ntime.sleep(1000)\ndef f() -> int:\n    return 1\n")
    world.module("good", "def f() -> int:\n    return 1\n")
    executor = await world.executor(sink, preload_s=0.3)
    await executor.submit(world.request("m:f", "x1/hangs/0"))
    await executor.submit(world.request("good:f", "x1/good/0"))
    assert isinstance(await sink.outcome("x1/good/0"), Succeeded)
    assert not sink.outcomes["x1/hangs/0"]
    await executor.cancel("x1/hangs/0", "enough")


async def test_children_of_a_killed_parent_go_on_and_new_work_gets_a_new_parent(world, sink, until):
    world.module(
        "m",
        """
        import os, time
        from marking import mark
        def slow(gate: str) -> int:
            mark("began")
            while not os.path.exists(gate):
                time.sleep(0.01)
            mark("ended")
            return os.getppid()
        def parent() -> int:
            return os.getppid()
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:parent", "x1/first/0"))
    parent = (await sink.outcome("x1/first/0")).outputs["o0"].value
    gate = world.home / "gate"
    await executor.submit(world.request("m:slow", "x1/slow/0", {"gate": str(gate)}))
    await until(lambda: world.marks() == ["began"])
    os.kill(parent, signal.SIGKILL)
    await executor.submit(world.request("m:parent", "x1/second/0"))
    assert (await sink.outcome("x1/second/0")).outputs["o0"].value != parent
    assert not sink.outcomes["x1/slow/0"]
    assert "x1/slow/0" in await executor.list()
    gate.touch()
    assert isinstance(await sink.outcome("x1/slow/0"), Succeeded)
    assert world.marks() == ["began", "ended"]


async def test_an_attempt_that_dies_with_its_parent_is_lost_and_its_descendants_are_killed(world, sink, until):
    world.module(
        "m",
        """
        import os, subprocess, time
        from marking import mark
        def f() -> int:
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            mark(f"{os.getppid()} {os.getpid()} {child.pid}")
            time.sleep(1000)
            return 1
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:f"))
    await until(world.marks)
    parent, child, grandchild = (int(word) for word in world.marks()[0].split())
    os.kill(parent, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    outcome = await sink.outcome("x1/n0/0")
    assert (outcome.error.code, outcome.error.kind) == ("Lost", "SYSTEM")
    await until(lambda: not _alive(grandchild))


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_an_interpreter_that_does_not_work_is_reported_with_the_end_of_its_log(world, sink, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no msgspec here >&2\nexit 1\n")
    broken.chmod(0o755)
    world.module("m", "def f() -> int:\n    return 1\n")
    executor = await world.executor(sink, python=str(broken))
    await executor.submit(world.request("m:f"))
    outcome = await sink.outcome("x1/n0/0")
    assert (outcome.error.code, outcome.error.kind) == ("ParentError", "SYSTEM")
    assert "no msgspec here" in outcome.error.message


async def test_an_environment_that_cannot_be_made_fails_the_attempt_for_good(world, sink):
    class Impossible:
        async def ensure(self, environment, project_lock):
            raise ConfigurationError("attrs==1 and attrs==2 exclude each other.")

    executor = await world.executor(sink, environments=Impossible())
    await executor.submit(world.request("m:f"))
    outcome = await sink.outcome("x1/n0/0")
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.retryable) == ("EnvironmentError", False)
    assert sink.phases["x1/n0/0"][0][0] == "INITIALIZING"


async def test_attempts_see_the_variables_of_the_kernel_that_submits_them(world, sink, monkeypatch):
    world.module("m", "import os\nSEEN = os.environ.get('COLOUR', '')\ndef f() -> str:\n    return SEEN\n")
    for n, colour in enumerate(("red", "blue")):
        monkeypatch.setenv("COLOUR", colour)
        assert (await world.run(world.request("m:f", f"x1/n{n}/0"))).outputs["o0"] == Inline(colour)


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_a_module_sees_the_variables_of_its_task_when_it_is_imported(world, sink, isolation):
    world.module("m", "import os\nSEEN = os.environ.get('EXTRA', '')\ndef f() -> str:\n    return SEEN\n")
    executor = await world.executor(sink)
    for node, variables in (("a", {}), ("b", {"EXTRA": "1"}), ("c", {"EXTRA": "2"})):
        await executor.submit(world.request("m:f", f"x1/{node}/0", variables=variables, isolation=isolation))
        assert (await sink.outcome(f"x1/{node}/0")).outputs["o0"] == Inline(variables.get("EXTRA", ""))


async def test_what_a_killed_parent_left_is_removed_with_the_next_one(world, sink, until):
    world.module("m", "import os\ndef f() -> int:\n    return os.getppid()\n")
    executor = await world.executor(sink, parent_idle_s=0.5)
    await executor.submit(world.request("m:f", "x1/a/0"))
    os.kill((await sink.outcome("x1/a/0")).outputs["o0"].value, signal.SIGKILL)
    (spares,) = (world.home / "parents").glob("*.spare")
    (spares / ".outputs.1").touch()
    (spares / "0" / "left").parent.mkdir(exist_ok=True)
    (spares / "0" / "left").touch()
    await until(lambda: not world.processes())
    await executor.submit(world.request("m:f", "x1/b/0"))
    assert isinstance(await sink.outcome("x1/b/0"), Succeeded)
    await until(lambda: not world.processes())
    assert not list((world.home / "parents").glob("*.spare"))


async def test_who_came_while_the_environment_was_made_starts_in_the_order_of_arrival(world, sink, until):
    class First:
        made = 0

        async def ensure(self, environment, project_lock):
            self.made += 1
            if self.made == 1:
                await gate.wait()
            return Interpreter("own", sys.executable, isolated=False)

    gate = asyncio.Event()
    world.module(
        "m",
        """
        import os
        from marking import mark
        def f() -> int:
            mark(os.environ["WINGBEAT_NODE"])
            return 1
        """,
    )
    executor = await world.executor(sink, environments=First(), slots=1)
    for n in range(5):
        await executor.submit(world.request("m:f", f"x1/n{n}/0"))
    await asyncio.sleep(0.05)  # the others come to where they would overtake
    gate.set()
    await until(lambda: len(sink.outcomes) == 5)
    assert world.marks() == ["n0", "n1", "n2", "n3", "n4"]
