"""`wingbeat.current` in real processes: ids, log, progress, and the checkpoint across ends of every kind."""

import os

import pytest
from msgspec.structs import replace

from wingbeat.contracts.executor import Failed, Succeeded
from wingbeat.spec.entities import Isolation
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_an_attempt_knows_itself_in_every_thread_and_fork(world, isolation):
    world.module(
        "m",
        """
        import os, threading
        from wingbeat import current
        def who() -> list[str]:
            seen = []
            def look():
                a = current()
                seen.append(f"{a.execution}/{a.node}/{a.attempt} {a.task} {a.directory}")
            look()
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            if os.fork() == 0:
                current().checkpoint.save("child", str(current()).encode())
                os._exit(0)
            os.wait()
            return [*seen, current().checkpoint.load("child").decode()]
        """,
    )
    outcome = await world.run(world.request("m:who", "x1/n0/3", isolation=isolation))
    me = f"x1/n0/3 m.who {world.attempt('x1/n0/3')}"
    assert outcome.outputs["o0"] == Inline([me, me, "<attempt x1/n0/3 of m.who>"])


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_the_logger_writes_to_the_attempts_log(world, isolation):
    world.module(
        "m",
        """
        from wingbeat import current
        def talk() -> None:
            current().log.info("read %d rows", 7)
        """,
    )
    await world.run(world.request("m:talk", outputs=(), isolation=isolation))
    assert (world.attempt("x1/n0/0") / "log").read_text().endswith(" INFO read 7 rows\n")


async def test_a_module_that_asks_when_it_is_imported_is_told(world):
    world.module("m", "from wingbeat import current\nME = current()\ndef f() -> int:\n    return 1\n")
    outcome = await world.run(world.request("m:f"))
    assert isinstance(outcome, Succeeded)  # imported by the attempt's own process, which is inside


async def test_who_asks_for_nothing_leaves_nothing_new(world):
    world.module("m", "def f() -> int:\n    return 1\n")
    await world.run(world.request("m:f"))
    assert sorted(os.listdir(world.attempt("x1/n0/0"))) == ["claim", "outputs"]


async def test_progress_is_told_while_it_runs_and_kept_at_a_failure(world, sink, until):
    world.module(
        "m",
        """
        import os, signal, time
        from wingbeat import current
        def work(how: str) -> int:
            for i in range(100_000):
                current().progress(i / 200_000, f"row {i}")
            current().progress(0.5, "half")
            if how == "raise":
                raise ValueError("no")
            time.sleep(0.2)
            current().progress(0.6, "a little later")
            while not os.path.exists(current().directory / "go"):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:work", inputs={"how": "raise"}))
    error = (await sink.outcome("x1/n0/0")).error
    assert error.evidence["progress"]["fraction"] == 0.5
    assert error.evidence["progress"]["text"] == "half"
    await executor.submit(world.request("m:work", "x1/n1/0", {"how": "kill"}))
    await until(lambda: any(p.text == "a little later" for p in sink.advances["x1/n1/0"]))
    assert len(sink.advances["x1/n1/0"]) < 50
    (world.attempt("x1/n1/0") / "go").touch()
    error = (await sink.outcome("x1/n1/0")).error
    assert error.code == "Killed"
    assert error.evidence["progress"]["text"] == "a little later"


async def test_progress_is_kept_where_an_attempt_is_stopped(world, sink, until):
    world.module(
        "m",
        """
        import time
        from wingbeat import current
        def work() -> int:
            current().progress(0.25, "a quarter")
            time.sleep(60)
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:work"))
    await until(lambda: sink.advances["x1/n0/0"])
    await executor.cancel("x1/n0/0", "enough")
    outcome = await sink.outcome("x1/n0/0")
    assert outcome.reason == "enough"
    assert outcome.evidence["progress"]["text"] == "a quarter"
    assert outcome.evidence["signal"] == "SIGTERM"


COUNTING = """
    import os, signal
    from wingbeat import current
    def count(end: str) -> int:
        state = current().checkpoint
        number = int(state.load("n") or 0) + 1
        state.save("n", str(number).encode())
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "oom":
            bytearray(2**40)
        if end == "raise":
            raise ValueError
        if end == "exit":
            os._exit(3)
        return number
    def idle(end: str) -> int:
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return 0
"""


async def test_the_checkpoint_survives_every_end(world, sink):
    world.module("m", COUNTING)
    executor = await world.executor(sink)
    for number, end in enumerate(["kill", "raise", "oom", "exit", "return"]):
        await executor.submit(world.request("m:count", f"x1/n0/{number}", {"end": end}))
        outcome = await sink.outcome(f"x1/n0/{number}")
        assert isinstance(outcome, Failed) == (end != "return")
    assert outcome.outputs["o0"] == Inline(5)
    assert [n for n in range(5) if (world.attempt(f"x1/n0/{n}") / "checkpoint").exists()] == [4]


async def test_an_attempt_that_does_not_look_hands_it_on(world, sink):
    world.module("m", COUNTING)
    executor = await world.executor(sink)
    for number, (entry, end) in enumerate([("count", "kill"), ("idle", "kill"), ("count", "return")]):
        await executor.submit(world.request(f"m:{entry}", f"x1/n0/{number}", {"end": end}))
        outcome = await sink.outcome(f"x1/n0/{number}")
    assert outcome.outputs["o0"] == Inline(2)


async def test_programs_find_the_checkpoint_by_its_variable(world, sink):
    world.module("m", COUNTING)
    world.module(
        "n",
        """
        import subprocess
        def shell() -> str:
            return subprocess.run('cat "$WINGBEAT_CHECKPOINT/n"', shell=True, capture_output=True, text=True).stdout
        """,
    )
    executor = await world.executor(sink)
    await executor.submit(world.request("m:count", "x1/n0/0", {"end": "kill"}))
    await sink.outcome("x1/n0/0")
    await executor.submit(world.request("n:shell", "x1/n0/1"))
    assert (await sink.outcome("x1/n0/1")).outputs["o0"] == Inline("1")


async def test_what_another_execution_left_is_there_also_where_the_first_attempt_is_killed(world, sink):
    world.module("m", COUNTING)
    executor = await world.executor(sink)
    await executor.submit(world.request("m:count", "old/n0/0", {"end": "kill"}))
    await sink.outcome("old/n0/0")
    for number, end in enumerate(["kill", "return"]):
        request = replace(world.request("m:count", f"new/n0/{number}", {"end": end}), checkpoint="old/n0")
        await executor.submit(request)
        outcome = await sink.outcome(f"new/n0/{number}")
    assert outcome.outputs["o0"] == Inline(3)
    assert (world.attempt("old/n0/0") / "checkpoint" / "n").read_text() == "1"


async def test_what_cannot_be_copied_now_is_copied_later(world, sink, until):
    world.module("m", COUNTING)
    executor = await world.executor(sink)
    await executor.submit(world.request("m:count", "old/n0/0", {"end": "kill"}))
    await sink.outcome("old/n0/0")
    part = world.home / "attempts/new/n0.0/.checkpoint.part"
    part.parent.mkdir(parents=True)
    part.write_text("in the way")
    await executor.submit(replace(world.request("m:count", "new/n0/0", {"end": "return"}), checkpoint="old/n0"))
    await until(lambda: any("machine refuses" in reason for _, reason in sink.phases["new/n0/0"]))
    part.unlink()
    assert (await sink.outcome("new/n0/0")).outputs["o0"] == Inline(2)
