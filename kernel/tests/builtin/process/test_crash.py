"""The kernel is killed: what runs goes on, the next one adopts it; none lost, none twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from wingbeat.builtin.process.adopt import until_gone
from wingbeat.contracts.executor import Aborted, Failed, Replay, Succeeded
from wingbeat.runtime import claim, files
from wingbeat.spec.entities import Isolation

pytestmark = pytest.mark.anyio

STEP = """
import os, time
from marking import mark
def step(n: int) -> int:
    mark(f"start {n}")
    time.sleep(0.05)
    mark(f"end {n}")
    return n
def kill_parent(n: int) -> int:
    mark(f"start {n}")
    parent = os.getppid()
    with open(f"/proc/{parent}/cmdline") as file:
        if "wingbeat.runtime.parent" in file.read():
            os.kill(parent, 9)
    time.sleep(0.05)
    mark(f"end {n}")
    return n
def wait(gate: str) -> int:
    mark("start")
    while not os.path.exists(gate):
        time.sleep(0.01)
    mark("end")
    return os.getpid()
"""


def kernel(folder, slots=3):
    script = Path(__file__).with_name("harness.py")
    return subprocess.Popen([sys.executable, str(script), str(folder), str(slots)], start_new_session=True)


def begin(world, requests):
    world.module("m", STEP)
    folder = world.bundle.parent
    (folder / "requests").write_bytes(msgspec.json.encode(requests))
    return folder


def starts(world):
    return [mark for mark in world.marks() if mark.startswith("start")]


def ended(folder):
    path = folder / "ended"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("function", ["step", "kill_parent"])
async def test_no_attempt_is_lost_or_doubled_however_often_the_kernel_is_killed(world, function, until):
    count = 24
    entry = {n: f"m:{function}" if n % 6 == 0 else "m:step" for n in range(count)}
    requests = [
        world.request(
            entry[n], f"x{n % 3}/n{n}/0", {"n": n}, isolation=Isolation.SPAWN if n % 8 == 7 else Isolation.FORK
        )
        for n in range(count)
    ]
    folder = begin(world, requests)
    for goal in (0, 1, 4, 9, 15, 20):
        running = kernel(folder)
        await until(lambda r=running, g=goal: r.poll() is not None or len(starts(world)) >= g)
        running.kill()
        running.wait()
    last = kernel(folder)
    assert await asyncio.to_thread(last.wait, 60) == 0
    outcomes = ended(folder)
    assert {name: outcome["outcome"] for name, outcome in outcomes} == {r.id: "succeeded" for r in requests}
    assert Counter(world.marks()) == Counter(f"{what} {n}" for n in range(count) for what in ("start", "end"))


async def test_what_ended_while_no_kernel_was_there_is_reported_by_the_next(world, sink, until):
    gate = world.home / "gate"
    request = world.request("m:wait", inputs={"gate": str(gate)})
    first = kernel(begin(world, [request]))
    await until(lambda: world.marks() == ["start"])
    first.kill()
    first.wait()
    gate.touch()
    await until((world.attempt(request.id) / files.EXIT).exists)
    executor = await world.executor(sink)
    await executor.recover([request])
    assert isinstance(await sink.outcome(request.id), Succeeded)
    assert world.marks() == ["start", "end"]


async def test_what_still_runs_is_adopted_holds_its_slot_and_can_be_cancelled(world, sink, until):
    requests = [world.request("m:wait", f"x1/n{n}/0", {"gate": str(world.home / f"gate{n}")}) for n in range(2)]
    first = kernel(begin(world, requests))
    await until(lambda: world.marks() == ["start"] * 2)
    first.kill()
    first.wait()
    executor = await world.executor(sink, slots=2)
    await executor.recover(requests)
    await executor.submit(world.request("m:step", "x1/late/0", {"n": 1}))
    assert sorted(await executor.list()) == ["x1/n0/0", "x1/n1/0"]
    await asyncio.sleep(0.2)
    assert "start 1" not in world.marks()
    await executor.cancel("x1/n0/0", "no")
    assert [(type(outcome), outcome.reason) for outcome in sink.outcomes["x1/n0/0"]] == [(Aborted, "no")]
    assert isinstance(await sink.outcome("x1/late/0"), Succeeded)
    (world.home / "gate1").touch()
    assert isinstance(await sink.outcome("x1/n1/0"), Succeeded)


async def test_an_orphan_that_nobody_recovers_is_listed_and_can_be_cancelled(world, sink, until):
    request = world.request("m:wait", inputs={"gate": str(world.home / "gate")})
    first = kernel(begin(world, [request]))
    await until(lambda: world.marks() == ["start"])
    first.kill()
    first.wait()
    executor = await world.executor(sink)
    assert await executor.list() == [request.id]
    await executor.cancel(request.id, "nobody wants it")
    (outcome,) = sink.outcomes[request.id]
    assert (type(outcome), outcome.reason) == (Aborted, "nobody wants it")
    assert not claim.held(str(world.attempt(request.id)))


async def test_one_killed_while_no_kernel_was_there_says_by_which_signal(world, sink, until):
    request = world.request("m:wait", inputs={"gate": str(world.home / "gate")})
    first = kernel(begin(world, [request]))
    await until(lambda: world.marks() == ["start"])
    first.kill()
    first.wait()
    os.kill(claim.read(str(world.attempt(request.id))).pid, signal.SIGKILL)
    executor = await world.executor(sink)
    await executor.recover([request])
    outcome = await sink.outcome(request.id)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind) == ("Killed", "SYSTEM")
    assert "SIGKILL" in outcome.error.message


async def test_closing_leaves_what_runs_to_the_next_kernel(world, sink, until):
    world.module("m", STEP)
    request = world.request("m:wait", inputs={"gate": str(world.home / "gate")})
    executor = await world.executor(sink)
    await executor.submit(request)
    await until(lambda: world.marks() == ["start"])
    await executor.close()
    assert sink.outcomes[request.id] == []
    following = await world.executor(sink)
    await following.recover([request])
    (world.home / "gate").touch()
    assert isinstance(await sink.outcome(request.id), Succeeded)
    assert world.marks() == ["start", "end"]


@pytest.mark.parametrize("damage", ["outputs", "claim"])
async def test_files_cut_off_by_a_power_failure_count_as_lost(world, sink, damage):
    request = world.request("m:step", inputs={"n": 1})
    folder = world.attempt(request.id)
    folder.mkdir(parents=True)
    (folder / files.CLAIM).write_bytes(b"" if damage == "claim" else b'{"pid":999999999}')
    (folder / files.OUTPUTS).write_bytes(b"")
    executor = await world.executor(sink)
    await executor.recover([request])
    outcome = await sink.outcome(request.id)
    assert (outcome.error.code, outcome.error.kind) == ("Lost", "SYSTEM")


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_what_a_parent_prepared_before_it_died_is_used_by_the_next(world, sink, isolation):
    request = world.request("m:step", inputs={"n": 1}, isolation=isolation)
    world.module("m", STEP)
    folder = world.attempt(request.id)
    (folder / files.WORK).mkdir(parents=True)
    os.close(claim.publish(str(folder), claim.Claim(parent="gone.sock")))
    executor = await world.executor(sink)
    await executor.recover([request])
    assert isinstance(await sink.outcome(request.id, 10), Succeeded)
    assert world.marks() == ["start 1", "end 1"]


async def test_nothing_is_left_of_an_attempt_adopted_before_it_said_who_it_is(tmp_path, until):
    folder = tmp_path / "n0.0"
    folder.mkdir()
    lock = claim.publish(str(folder), claim.Claim(parent="gone.sock"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.read(reader, 1)
        claim.begin(lock)
        subprocess.Popen(["sleep", "1000"], close_fds=True)
        os._exit(0)
    os.close(lock)
    owner = claim.read(str(folder))
    assert owner.pid == 0
    adopting = asyncio.create_task(until_gone(owner, str(folder), "x1/n0/0"))
    await asyncio.sleep(0)
    os.write(writer, b"1")
    await asyncio.to_thread(os.waitpid, pid, 0)
    await asyncio.wait_for(adopting, 20)
    os.close(reader)
    os.close(writer)
    await until(lambda: not members(pid))


def members(session):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, number = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(number) == session and state != "Z":
            found.append(path)
    return found


async def test_a_body_that_spins_ends_some_time_after_its_kernel_and_tasks_do_not(world, sink, until):
    world.module(
        "m", STEP + "async def spins() -> int:\n    mark(f'spins {os.getpid()}')\n    while True:\n        pass\n"
    )
    gate = world.folder / "gate"
    executor = await world.executor(sink)
    await executor.submit(world.request("m:wait", "x1/task/0", {"gate": str(gate)}))
    await executor.submit(msgspec.structs.replace(world.request("m:spins", "x1/body/0"), replay=Replay(0.0)))
    await until(lambda: len(world.marks()) == 2)
    (body,) = (int(mark.split()[1]) for mark in world.marks() if mark.startswith("spins"))
    await executor.close()
    await until(lambda: body not in world.processes())
    await (await world.executor(sink)).recover([])
    assert len(world.processes()) == 2, "the parent, and the task"
    gate.touch()
    await until(lambda: "end" in world.marks())
