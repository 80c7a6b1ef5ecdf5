"""Kill -9 at random moments of the kernel, of a holder with a client, of warm parents, of attempts, of gangs, of all: counted."""

import os
import random
import signal
import time

import pytest

TIMES = int(os.environ.get("FAULTS_TIMES", "1"))

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 * TIMES)]

QUOTAS = {"kernel": 80, "holder": 50, "parent": 75, "attempt": 75, "gang": 15, "all": 20}
KILLS_MIN = 300
ATTEMPTS_MAX = 2
"""An attempt of a higher number is spared: an execution may fail for system failures that do not end."""
ALL_MAX = 2
"""How often everything in a place is killed, for the same reason."""
PLACES_MAX = 3
"""How many places there may be for each kill: a program that ends by itself was killed in none."""


def test_there_are_enough_kills(tell):
    assert sum(QUOTAS.values()) * TIMES >= KILLS_MIN


@pytest.mark.parametrize("kind", QUOTAS)
def test_killed_at_random_moments_everything_is_done_once(make_place, kind, tell, seed):
    dice, quota = random.Random(f"{seed}/{kind}"), QUOTAS[kind] * TIMES
    began, kills, redone, places = time.monotonic(), 0, 0, 0
    while kills < quota:
        place = make_place(copies=2 if kind == "all" else 6)
        places += 1
        killed, lost = CAMPAIGNS[kind](place, dice, quota - kills)
        place.finish(redone=lost)
        kills, redone = kills + killed, redone + lost
        place.kill_processes()
        assert places <= PLACES_MAX * quota, "the programs were always faster"
    tell(
        f"kills: {kills} of kind {kind!r} in {places} homes, {time.monotonic() - began:.0f} s, seed {seed}: "
        f"0 lost, 0 doubled, {redone} attempts killed"
    )
    assert kills >= quota


def _kernel(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Kill the program until it ends by itself."""
    killed = 0
    while killed < most:
        program = place.begin()
        if _ended(program, dice.uniform(0.25, 0.9)):
            break
        killed += _kill(program)
    return killed, 0


def _holder(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Two programs share the home; kill the older one, start another."""
    killed = 0
    older, younger = place.begin(), place.begin()
    while killed < most:
        if _ended(older, dice.uniform(0.25, 0.9)):
            break
        killed += _kill(older)
        older, younger = younger, place.begin()
    for program in (older, younger):
        assert program.wait(60) in (0, -signal.SIGKILL), place.log()
    return killed, 0


def _parent(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Kill warm parents while the program runs; attempts go on."""
    killed = 0
    program = place.begin()
    while killed < most and not _ended(program, dice.uniform(0.1, 0.4)):
        if victims := place.parents():
            killed += _signal(dice.choice(victims))
    assert program.wait(60) == 0, place.log()
    return killed, 0


def _attempt(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Kill attempts while the program runs; each is tried again."""
    killed = 0
    program = place.begin()
    while killed < most and not _ended(program, dice.uniform(0.02, 0.15)):
        running = place.attempts().items()
        if victims := [pid for pid, name in running if "victim" not in name and int(name[-1]) < ATTEMPTS_MAX]:
            killed += _signal(dice.choice(victims))
    assert program.wait(60) == 0, place.log()
    return killed, killed


def _gang(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Kill leaders and members of gangs while the program runs; each gang is torn down, and tried again."""
    killed, met = 0, set()
    program = place.begin()
    while killed < most and program.poll() is None:
        gangs = {
            name: pid
            for pid, name in place.attempts().items()
            if "paired" in name and int(name[-1]) < ATTEMPTS_MAX and name not in met
        }
        for name, leader in gangs.items():
            family = [leader, *place.children(leader)]
            if len(family) > 1:
                met.add(name)
                killed += _signal(dice.choice(family))
    assert program.wait(60) == 0, place.log()
    return killed, killed


def _all(place, dice: random.Random, most: int) -> tuple[int, int]:
    """Kill the program, its warm parents and its attempts at once."""
    killed, lost = 0, set()
    while killed < min(most, ALL_MAX):
        program = place.begin()
        if _ended(program, dice.uniform(0.3, 1.2)):
            break
        killed += _kill(program)
        place.kill_processes()
        lost |= place.unfinished()
    return killed, len(lost)


CAMPAIGNS = {"kernel": _kernel, "holder": _holder, "parent": _parent, "attempt": _attempt, "gang": _gang, "all": _all}


def _ended(program, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while program.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return program.poll() is not None


def _kill(program) -> int:
    program.kill()
    return int(program.wait() == -signal.SIGKILL)


def _signal(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1
