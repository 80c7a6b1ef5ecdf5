"""Cancelling: before, while and after an attempt runs; slots; submitting twice."""

import asyncio

import pytest

from wingbeat.contracts.executor import Aborted, Succeeded
from wingbeat.runtime import claim
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio

SLOW = """
import os, signal, time
from marking import mark
def slow(n: int, gate: str) -> int:
    mark(f"began {n}")
    while not os.path.exists(gate):
        time.sleep(0.005)
    mark(f"ended {n}")
    return n
def stubborn() -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark("began")
    while True:
        time.sleep(1)
def polite() -> int:
    def stop(*_):
        mark("cleaned up")
        raise SystemExit
    signal.signal(signal.SIGTERM, stop)
    mark("began")
    time.sleep(1000)
    return 1
"""


@pytest.fixture
def began(until):
    async def wait(world, count):
        await until(lambda: sum(mark.startswith("began") for mark in world.marks()) >= count)

    return wait


@pytest.fixture
def slow(world):
    world.module("m", SLOW)
    gate = world.home / "gate"

    def make(n):
        return world.request("m:slow", f"x1/n{n}/0", {"n": n, "gate": str(gate)})

    make.gate = gate
    return make


async def test_an_attempt_that_waits_for_a_slot_is_cancelled_without_ever_starting(world, sink, slow, began):
    executor = await world.executor(sink, slots=1)
    await executor.submit(slow(0))
    await began(world, 1)
    await executor.submit(slow(1))
    await asyncio.sleep(0)
    await executor.cancel("x1/n1/0", "not needed")
    assert sink.outcomes["x1/n1/0"] == [Aborted("not needed")]
    slow.gate.touch()
    assert isinstance(await sink.outcome("x1/n0/0"), Succeeded)
    await executor.submit(slow(2))
    assert isinstance(await sink.outcome("x1/n2/0"), Succeeded)
    assert "began 1" not in world.marks()


async def test_an_attempt_nobody_has_heard_of_is_aborted_and_a_late_submit_does_not_start_it(world, sink, slow, until):
    executor = await world.executor(sink)
    slow.gate.parent.mkdir(exist_ok=True)
    slow.gate.touch()
    await executor.cancel("x1/n0/0", "too late")
    await executor.submit(slow(0))
    await until(lambda: len(sink.outcomes["x1/n0/0"]) == 2)
    assert sink.outcomes["x1/n0/0"] == [Aborted("too late")] * 2
    assert world.marks() == []


async def test_a_request_that_is_read_after_its_cancel_runs_nothing(world, sink, slow):
    executor = await world.executor(sink)
    slow.gate.parent.mkdir(exist_ok=True)
    slow.gate.touch()
    await executor.submit(slow(0))
    await executor.cancel("x1/n0/0", "at once")
    await executor.submit(slow(1))
    assert isinstance(await sink.outcome("x1/n1/0"), Succeeded)
    assert sink.outcomes["x1/n0/0"] == [Aborted("at once")]
    assert "began 0" not in world.marks()


async def test_a_running_attempt_is_gone_when_cancel_returns(world, sink, slow, began):
    executor = await world.executor(sink)
    await executor.submit(slow(0))
    await began(world, 1)
    await executor.cancel("x1/n0/0", "enough")
    (outcome,) = sink.outcomes["x1/n0/0"]
    assert (outcome.reason, outcome.evidence["signal"]) == ("enough", "SIGTERM")
    assert not claim.held(str(world.attempt("x1/n0/0")))
    assert await executor.list() == []
    await executor.cancel("x1/n0/0", "again")


async def test_one_that_ignores_sigterm_is_killed_and_one_that_obeys_can_clean_up(world, sink, slow, began):
    executor = await world.executor(sink)
    await executor.submit(world.request("m:stubborn", "x1/a/0"))
    await executor.submit(world.request("m:polite", "x1/b/0"))
    await began(world, 2)
    await asyncio.gather(executor.cancel("x1/a/0", "stop"), executor.cancel("x1/b/0", "stop"))
    outcomes = [*sink.outcomes["x1/a/0"], *sink.outcomes["x1/b/0"]]
    assert [(type(outcome), outcome.reason) for outcome in outcomes] == [(Aborted, "stop")] * 2
    assert "cleaned up" in world.marks()


async def test_cancelling_what_has_ended_tells_how_it_ended(world, sink, slow):
    executor = await world.executor(sink)
    slow.gate.parent.mkdir(exist_ok=True)
    slow.gate.touch()
    await executor.submit(slow(0))
    await sink.outcome("x1/n0/0")
    await executor.cancel("x1/n0/0", "too late")
    assert [type(outcome) for outcome in sink.outcomes["x1/n0/0"]] == [Succeeded, Succeeded]


async def test_submitting_again_starts_nothing_and_reports_the_first(world, sink, slow, began, until):
    executor = await world.executor(sink)
    for _ in range(3):
        await executor.submit(slow(0))
    await began(world, 1)
    await executor.submit(slow(0))
    slow.gate.touch()
    await sink.outcome("x1/n0/0")
    await executor.submit(slow(0))
    await until(lambda: len(sink.outcomes["x1/n0/0"]) == 2)
    assert [outcome.outputs for outcome in sink.outcomes["x1/n0/0"]] == [{"o0": Inline(0)}] * 2
    assert world.marks() == ["began 0", "ended 0"]


async def test_no_more_attempts_run_than_there_are_slots_and_many_cores_take_many(world, sink, slow, began):
    executor = await world.executor(sink, slots=2)
    await executor.submit(slow(0))
    await began(world, 1)
    wide = world.request("m:slow", "x1/n1/0", {"n": 1, "gate": str(slow.gate)}, cpu=8)
    await executor.submit(wide)
    await executor.submit(slow(2))
    await asyncio.sleep(0.2)
    assert world.marks() == ["began 0"]
    waiting = [phase for phase, _ in sink.phases["x1/n2/0"]]
    assert waiting.count("WAITING_FOR_RESOURCES") == 1
    slow.gate.touch()
    for n in range(3):
        assert isinstance(await sink.outcome(f"x1/n{n}/0"), Succeeded)
    assert world.marks().index("began 1") < world.marks().index("began 2")


async def test_ids_cannot_leave_the_folder_of_attempts(world, sink):
    executor = await world.executor(sink)
    for name in ("../../etc/0", "x1/../0", "x1/n0", "x1//0"):
        with pytest.raises(ValueError, match="no attempt's id"):
            await executor.cancel(name, "")
    assert sorted(path.name for path in world.home.iterdir()) == ["attempts", "parents"]
