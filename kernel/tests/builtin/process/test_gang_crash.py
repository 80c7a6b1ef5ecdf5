"""Whatever of a gang is killed, and whenever: it runs once, nothing of it stays, and what became of it is told."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.runtime import claim, gang
from wingbeat.runtime.gangrecord import read_record
from wingbeat.spec.entities import Isolation
from wingbeat.spec.gang import GangSpec, RoleSpec

pytestmark = pytest.mark.anyio

MEMBERS = """
import os, time
from marking import mark
from wingbeat.contracts.gang import member_of

def step(n: int) -> int:
    name = member_of(os.environ).name
    mark(f"start {n} {name}")
    time.sleep(0.05)
    mark(f"end {n} {name}")
    return n

def wait(gate: str) -> int:
    mark(f"start {os.getpid()}")
    while not os.path.exists(gate):
        time.sleep(0.01)
    mark("end")
    return 7
"""
PAIR = GangSpec((RoleSpec("worker", 2),))
POINTS = sorted(re.findall(r'\bhit\("([^"]+)"\)', Path(gang.__file__).read_text()))
BEGUN = {"gang.begun", "gang.member-ended", "gang.ended", "gang.succeeded", "gang.published"}


@pytest.fixture
def crew(world):
    world.module("m", MEMBERS)

    def make(function, inputs, name="x1/n0/0", **task):
        return world.request(f"m:{function}", name, inputs, gang=PAIR, **task)

    return make


def kernel(folder, slots=4):
    script = Path(__file__).with_name("harness.py")
    return subprocess.Popen([sys.executable, str(script), str(folder), str(slots)], start_new_session=True)


@pytest.fixture
async def left_running(world, crew, until):
    """A gang that runs, and whose kernel is gone: its request, and the processes of its members."""
    request = crew("wait", {"gate": str(world.home / "gate")})
    (world.folder / "requests").write_bytes(msgspec.json.encode([request]))
    first = kernel(world.folder)
    await until(lambda: len(world.marks()) == 2)
    first.kill()
    first.wait()
    return request, [int(mark.split()[1]) for mark in world.marks()]


def leader_of(world, request):
    return claim.read(str(world.attempt(request.id))).pid


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("point", POINTS)
async def test_a_leader_killed_at_any_point_takes_all_with_it(world, crew, sink, monkeypatch, point, tmp_path):
    points = tmp_path / "points"
    points.mkdir()
    monkeypatch.setenv("WINGBEAT_FAILPOINT", f"{point}:kill:1:{points}")
    executor = await world.executor(sink)
    request = crew("step", {"n": 1})
    await executor.submit(request)
    outcome = await sink.outcome(request.id)
    assert (points / point).exists()
    if point == "gang.published":
        assert isinstance(outcome, Succeeded)
    else:
        assert isinstance(outcome, Failed)
        assert (outcome.error.code, outcome.error.kind) == ("Killed", ErrorKind.SYSTEM)
    assert not claim.held(str(world.attempt(request.id)))
    if point not in BEGUN:
        assert world.marks() == []
    assert max(Counter(world.marks()).values(), default=0) <= 1
    await executor.submit(request)  # again: nothing runs again
    await executor.submit(crew("step", {"n": 2}, "x1/other/0"))
    assert isinstance(await sink.outcome("x1/other/0"), Succeeded)
    assert max(Counter(world.marks()).values(), default=0) <= 1


@pytest.mark.parametrize("number", [1, 2])
async def test_a_gang_of_which_not_all_can_be_made_begins_nowhere(world, crew, sink, monkeypatch, number, tmp_path):
    points = tmp_path / "points"
    points.mkdir()
    monkeypatch.setenv("WINGBEAT_FAILPOINT", f"gang.forked:error:{number}:{points}")
    outcome = await world.run(crew("step", {"n": 1}))
    assert (outcome.error.code, outcome.error.kind) == ("GangNotStarted", ErrorKind.SYSTEM)
    assert world.marks() == []


async def test_no_gang_is_lost_or_doubled_however_often_the_kernel_is_killed(world, crew, until):
    count = 10
    requests = [
        crew("step", {"n": n}, f"x{n % 3}/n{n}/0", isolation=Isolation.SPAWN if n % 4 == 3 else Isolation.FORK)
        for n in range(count)
    ]
    (world.folder / "requests").write_bytes(msgspec.json.encode(requests))
    for goal in (0, 1, 4, 9, 15):
        running = kernel(world.folder)
        await until(
            lambda r=running, g=goal: (
                r.poll() is not None or sum(mark.startswith("start") for mark in world.marks()) >= g
            )
        )
        running.kill()
        running.wait()
    last = kernel(world.folder)
    assert await asyncio.to_thread(last.wait, 60) == 0
    outcomes = [json.loads(line) for line in (world.folder / "ended").read_text().splitlines()]
    assert {name: outcome["outcome"] for name, outcome in outcomes} == {r.id: "succeeded" for r in requests}
    assert Counter(world.marks()) == Counter(
        f"{what} {n} worker-{index}" for n in range(count) for what in ("start", "end") for index in range(2)
    )


async def test_what_runs_is_adopted_as_a_whole_with_its_slots_and_can_be_cancelled(world, crew, sink, left_running):
    request, pids = left_running
    executor = await world.executor(sink, slots=2)
    await executor.recover([request])
    await executor.submit(crew("step", {"n": 1}, "x1/late/0"))
    assert await executor.list() == [request.id]
    await asyncio.sleep(0.2)
    assert len(world.marks()) == 2
    await executor.cancel(request.id, "no")
    assert not [pid for pid in pids if alive(pid)]
    assert isinstance(sink.outcomes[request.id][0], Aborted)
    assert isinstance(await sink.outcome("x1/late/0"), Succeeded)


async def test_without_a_kernel_a_gang_is_torn_down_when_a_member_fails(world, crew, sink, until, left_running):
    request, pids = left_running
    os.kill(pids[1], signal.SIGKILL)
    await until(lambda: not claim.held(str(world.attempt(request.id))))
    assert not [pid for pid in pids if alive(pid)]
    executor = await world.executor(sink)
    await executor.recover([request])
    outcome = await sink.outcome(request.id)
    assert (outcome.error.code, outcome.error.kind) == ("Killed", ErrorKind.SYSTEM)
    assert outcome.error.evidence["members"][outcome.error.evidence["member"]]["pid"] == pids[1]


async def test_without_its_warm_parent_a_gang_goes_on(world, crew, sink, left_running):
    request, _ = left_running
    os.kill(parent_of(leader_of(world, request)), signal.SIGKILL)
    executor = await world.executor(sink)
    await executor.recover([request])
    (world.home / "gate").touch()
    outcome = await sink.outcome(request.id)
    assert isinstance(outcome, Succeeded)
    assert {member["exit_code"] for member in outcome.evidence["members"].values()} == {0}
    assert world.marks().count("end") == 2


@pytest.mark.parametrize("first", ["parent", "leader"])
async def test_without_leader_and_parent_the_members_are_gone_before_it_is_lost(
    world, crew, sink, until, left_running, first
):
    request, pids = left_running
    leader = leader_of(world, request)
    both = [parent_of(leader), leader]
    for pid in both if first == "parent" else reversed(both):
        os.kill(pid, signal.SIGKILL)
    executor = await world.executor(sink)
    await executor.recover([request])
    outcome = await sink.outcome(request.id)
    assert outcome.error.kind is ErrorKind.SYSTEM
    assert outcome.error.code in (("Lost",) if first == "parent" else ("Lost", "Killed"))
    assert set(outcome.error.evidence["members"]) == {"worker-0", "worker-1"}
    assert not [pid for pid in pids if alive(pid)]


async def test_a_stopped_leader_does_not_keep_a_gang_from_being_cancelled(world, crew, sink, left_running):
    request, pids = left_running
    os.kill(leader_of(world, request), signal.SIGSTOP)
    executor = await world.executor(sink)
    await executor.recover([request])
    await executor.cancel(request.id, "no")
    assert not [pid for pid in pids if alive(pid)]
    assert isinstance(sink.outcomes[request.id][0], Aborted)


async def test_an_orphaned_gang_that_nobody_recovers_is_listed_and_can_be_cancelled(world, sink, left_running):
    request, pids = left_running
    executor = await world.executor(sink)
    assert await executor.list() == [request.id]
    await executor.cancel(request.id, "nobody wants it")
    (outcome,) = sink.outcomes[request.id]
    assert (type(outcome), outcome.reason) == (Aborted, "nobody wants it")
    assert set(outcome.evidence["members"]) == set(read_record(str(world.attempt(request.id))).members)
    assert not [pid for pid in pids if alive(pid)]
