"""Gangs: several processes for an attempt, all or nothing."""

import asyncio
from pathlib import Path

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.contracts.gang import member_of
from wingbeat.runtime import claim
from wingbeat.spec.entities import Isolation, WrapperSpec
from wingbeat.spec.gang import GangSpec, RoleSpec
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio

MEMBERS = """
import json, os, signal, socket, sys, time
from marking import mark
from wingbeat import current
from wingbeat.contracts.gang import member_of

me = lambda: member_of(os.environ)

def say(n: int) -> int:
    mark(me().name)
    print("I am", me().name)
    return n + me().index

def meet(n: int) -> int:
    '''Returns when each has reached every other at its address.'''
    host, _, port = me().address.rpartition(":")
    with socket.create_server((host, int(port))) as server:
        for addresses in me().addresses.values():
            for address in addresses:
                host, _, port = address.rpartition(":")
                while True:
                    try:
                        socket.create_connection((host, int(port))).close()
                        break
                    except ConnectionRefusedError:
                        time.sleep(0.01)
        for _ in range(sum(map(len, me().addresses.values()))):
            server.accept()[0].close()
    mark(me().name)
    return n

def fail(name: str, how: str) -> int:
    mark(me().name)
    if me().name == name:
        if how == "raise":
            raise ValueError("as asked")
        if how == "kill":
            os.kill(os.getpid(), 9)
        os._exit(3)
    time.sleep(600)
    return 1

def stubborn(n: int) -> int:
    if me().index:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark(me().name)
        time.sleep(600)
    while not os.path.exists(os.environ["WINGBEAT_DIRECTORY"] + "/members/worker-1/log"):
        time.sleep(0.01)
    time.sleep(0.2)
    raise ValueError("as asked")

def serve(n: int) -> int:
    if me().role == "ps":
        if os.fork() == 0:
            os.setsid()  # as a daemon does
            time.sleep(600)
        mark("serving")
        time.sleep(600)
    while n and not os.path.exists(os.environ["WINGBEAT_DIRECTORY"] + "/go"):
        time.sleep(0.01)
    return 7

def wait(gate: str) -> int:
    mark(f"start {me().name} {os.getpid()} {me().address}")
    while not os.path.exists(gate):
        time.sleep(0.01)
    mark(f"end {me().name}")
    return 7

def places(n: int) -> int:
    current().checkpoint.save(me().name, b"x")
    current().deck.text(me().name)
    current().progress(0.5, me().name)
    mark(f"{me().name} {os.getcwd()} {os.environ['WINGBEAT_DIRECTORY']} {current().directory}")
    while sum(1 for _ in current().checkpoint.iterdir()) < n:
        time.sleep(0.01)
    return 7

def much(n: int) -> int:
    if me().index == 1:
        held = bytearray(n)
    time.sleep(600)
    return 1

class Wrapper:
    def __init__(self, config): ...
    def enter(self, attempt):
        return {"who": f"{attempt.member.name} {attempt.member == me()}"}
    def leave(self, error): ...

def wrapped(n: int, who="") -> int:
    mark(who)
    return n
"""
PAIR = GangSpec((RoleSpec("worker", 2),))
SERVED = GangSpec((RoleSpec("chief"), RoleSpec("ps", 2, serves=True)))


@pytest.fixture
def gang(world):
    world.module("m", MEMBERS)

    def make(function, inputs, name="x1/n0/0", gang=PAIR, **task):
        return world.request(f"m:{function}", name, inputs, gang=gang, **task)

    return make


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_every_member_runs_and_the_outputs_are_those_of_the_first(world, gang, isolation):
    outcome = await world.run(gang("say", {"n": 4}, isolation=isolation))
    assert isinstance(outcome, Succeeded)
    assert outcome.outputs == {"o0": Inline(4)}
    assert sorted(world.marks()) == ["worker-0", "worker-1"]
    members = outcome.evidence["members"]
    assert {name: member["exit_code"] for name, member in members.items()} == {"worker-0": 0, "worker-1": 0}
    folder = world.attempt("x1/n0/0")
    assert (folder / "log").read_text() == "I am worker-0\n"
    assert (folder / "members" / "worker-1" / "log").read_text() == "I am worker-1\n"
    assert members["worker-1"]["log"] == str(folder / "members" / "worker-1" / "log")


async def test_members_find_each_other_at_their_addresses(world, gang):
    roles = GangSpec((RoleSpec("chief"), RoleSpec("worker", 3)))
    sink_outcomes = [await world.run(gang("meet", {"n": 1}, f"x1/n{n}/0", roles)) for n in range(2)]
    assert [type(outcome) for outcome in sink_outcomes] == [Succeeded] * 2
    assert sorted(world.marks()) == sorted(["chief-0", "worker-0", "worker-1", "worker-2"] * 2)


async def test_no_two_gangs_have_an_address_in_common(world, gang, sink, until):
    executor = await world.executor(sink, slots=8)
    for n in range(4):
        await executor.submit(gang("wait", {"gate": str(world.home / "gate")}, f"x1/n{n}/0"))
    await until(lambda: len(world.marks()) == 8)
    assert len({mark.split()[3] for mark in world.marks()}) == 8
    (world.home / "gate").touch()
    for n in range(4):
        assert isinstance(await sink.outcome(f"x1/n{n}/0"), Succeeded)


@pytest.mark.parametrize("name", ["worker-0", "worker-1"])
@pytest.mark.parametrize(
    ("how", "code", "kind"),
    [("raise", "ValueError", ErrorKind.USER), ("kill", "Killed", ErrorKind.SYSTEM), ("exit", "Exited", ErrorKind.USER)],
)
async def test_when_one_fails_the_others_are_stopped_and_its_error_counts(world, gang, name, how, code, kind):
    outcome = await world.run(gang("fail", {"name": name, "how": how}))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind) == (code, kind)
    assert outcome.error.message.startswith(f"{name}: ")
    evidence = outcome.error.evidence
    other = {"worker-0": "worker-1", "worker-1": "worker-0"}[name]
    assert evidence["member"] == name
    assert evidence["members"][other]["signal"] == "SIGTERM"
    assert evidence["members"][other]["stopped"]
    expected = {"raise": {"exit_code": 1}, "kill": {"signal": "SIGKILL"}, "exit": {"exit_code": 3}}[how]
    assert evidence["members"][name].items() >= expected.items()
    assert "stopped" not in evidence["members"][name]
    if how == "raise":
        assert "ValueError: as asked" in Path(evidence["log"]).read_text()


async def test_one_that_does_not_stop_is_killed(world, gang):
    outcome = await world.run(gang("stubborn", {"n": 1}))
    assert outcome.error.code == "ValueError"
    assert outcome.error.evidence["members"]["worker-1"]["signal"] == "SIGKILL"


async def test_who_serves_is_stopped_when_the_others_have_succeeded_with_all_that_it_started(world, gang, until):
    world.home.mkdir()
    request = gang("serve", {"n": 1}, gang=SERVED)
    running = asyncio.create_task(world.run(request))
    await until(lambda: world.marks() == ["serving"] * 2)
    (world.attempt(request.id) / "go").touch()
    outcome = await running
    assert isinstance(outcome, Succeeded)
    assert outcome.outputs == {"o0": Inline(7)}
    assert outcome.evidence["members"]["ps-1"]["stopped"]
    assert not held(world, request.id)


async def test_who_serves_fails_the_attempt_when_it_fails(world, gang):
    outcome = await world.run(gang("fail", {"name": "ps-1", "how": "kill"}, gang=SERVED))
    assert (outcome.error.code, outcome.error.evidence["member"]) == ("Killed", "ps-1")


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_a_cancelled_gang_is_gone_when_cancel_returns(world, gang, sink, until, isolation):
    executor = await world.executor(sink)
    request = gang("wait", {"gate": "/nowhere"}, isolation=isolation)
    await executor.submit(request)
    await until(lambda: len(world.marks()) == 2)
    pids = [int(mark.split()[2]) for mark in world.marks()]
    await executor.cancel(request.id, "enough")
    assert not [pid for pid in pids if alive(pid)]
    assert not held(world, request.id)
    (outcome,) = sink.outcomes[request.id]
    assert (type(outcome), outcome.reason) == (Aborted, "enough")
    assert {member["signal"] for member in outcome.evidence["members"].values()} == {"SIGTERM"}


async def test_a_gang_waits_until_there_are_slots_for_all(world, gang, sink, until):
    executor = await world.executor(sink, slots=3)
    gates = [str(world.home / f"gate{n}") for n in range(3)]
    for n in range(3):
        await executor.submit(gang("wait", {"gate": gates[n]}, f"x1/n{n}/0"))
    await until(lambda: len(world.marks()) == 2)
    await asyncio.sleep(0.2)
    assert len(world.marks()) == 2
    assert [phase for phase, _ in sink.phases["x1/n1/0"]][-1] == "WAITING_FOR_RESOURCES"
    for gate in gates:
        Path(gate).touch()
    for n in range(3):
        assert isinstance(await sink.outcome(f"x1/n{n}/0"), Succeeded)


async def test_log_page_progress_and_checkpoint_of_the_attempt(world, gang):
    outcome = await world.run(gang("places", {"n": 2}))
    assert isinstance(outcome, Succeeded)
    folder = world.attempt("x1/n0/0")
    assert outcome.evidence["progress"]["text"] == "worker-0"
    assert outcome.evidence["deck"] == str(folder / "deck.html")
    assert "worker-0" in (folder / "deck.html").read_text()
    assert sorted(path.name for path in (folder / "checkpoint").iterdir()) == ["worker-0", "worker-1"]
    assert sorted(world.marks()) == [
        f"worker-0 {folder}/members/worker-0/work {folder} {folder}",
        "worker-1 {0}/members/worker-1/work {0}/members/worker-1 {0}/members/worker-1".format(folder),
    ]


async def test_memory_is_limited_for_each_member(world, gang):
    outcome = await world.run(gang("much", {"n": 400 * 2**20}, memory=200 * 2**20))
    assert isinstance(outcome, Failed)
    assert outcome.error.code in ("OutOfMemory", "MemoryError")
    assert outcome.error.evidence["member"] == "worker-1"


async def test_wrappers_are_told_which_member_they_are_in(world, gang):
    outcome = await world.run(gang("wrapped", {"n": 1}, wrappers=(WrapperSpec("w", "m:Wrapper"),)))
    assert isinstance(outcome, Succeeded)
    assert sorted(world.marks()) == ["worker-0 True", "worker-1 True"]


async def test_a_wrapper_that_hangs_in_one_member_is_the_error_of_the_attempt(world, gang):
    world.module(
        "w",
        """
        import time
        class Wrapper:
            patience_s = 0.2
            def __init__(self, config): pass
            def enter(self, attempt):
                if not attempt.member.first:
                    time.sleep(60)
                return {}
            def leave(self, error): pass
        """,
    )
    inputs = {"gate": str(world.folder / "never")}
    outcome = await world.run(gang("wait", inputs, wrappers=(WrapperSpec("w", "w:Wrapper"),)))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind) == ("PluginFailed", "SYSTEM")
    assert outcome.error.evidence["member"] == "worker-1"


def test_outside_of_gangs_nobody_is_a_member():
    assert member_of({}) is None


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        ((), "first role"),
        ((RoleSpec("ps", serves=True), RoleSpec("worker")), "first role"),
        ((RoleSpec("worker", 0),), "at least one"),
        ((RoleSpec("worker"), RoleSpec("worker")), "twice"),
        ((RoleSpec("../x"),), "names no role"),
        ((RoleSpec("worker", 1000),), "over the limit"),
    ],
)
def test_a_gang_that_cannot_be_is_refused(roles, why):
    with pytest.raises(ValueError, match=why):
        GangSpec(roles)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def held(world, name):
    return claim.held(str(world.attempt(name)))
