"""Kill -9 at every failpoint of the admin, and at random moments: nothing is launched, published or told twice, or not."""

import asyncio
import os
import random
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import wingbeat_admin
from wingbeat import Kernel
from wingbeat.contracts.admin import CAUSE_LABEL, ENTITY_LABEL
from wingbeat.contracts.backfill import BACKFILL_LABEL
from wingbeat.spec.phase import ExecutionPhase

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

WORKLOAD = Path(__file__).with_name("workload.py")
SOURCES = sorted(Path(wingbeat_admin.__file__).parent.rglob("*.py"))
POINTS = sorted({name for path in SOURCES for name in re.findall(r'\bhit\("([^"]+)"\)', path.read_text())})
KILLS, KILLS_MIN, TICKS = 20, 8, 12


def begin(tmp_path, failpoint="", ticks=3):
    environment = {**os.environ, "WINGBEAT_FAILPOINT": failpoint} if failpoint else dict(os.environ)
    log = (tmp_path / "log").open("a")
    with log:
        return subprocess.Popen(
            [sys.executable, WORKLOAD, tmp_path / "home", str(ticks)], env=environment, stdout=log, stderr=log
        )


async def check(tmp_path):
    """What is in the journal, after everything was done."""
    async with Kernel(tmp_path / "home", discover=False, read_only=True) as kernel:
        found = await kernel.engine.executions(limit=1000)
    check_backfills(found)
    found = [each for each in found if BACKFILL_LABEL not in each.labels]
    crowded = [each for each in found if "/crowded@" in each.labels.get(ENTITY_LABEL, "")]
    assert len({each.labels[CAUSE_LABEL] for each in crowded}) == len(crowded), "a tick was launched twice"
    assert sum(not each.phase.terminal for each in crowded) <= 1, "what was to be stopped goes on"
    found = [each for each in found if each not in crowded]
    causes = [each.labels.get(CAUSE_LABEL, "") for each in found]
    fired = sorted(cause for cause in causes if re.fullmatch(r"m\d", cause))
    assert fired == [f"m{n}" for n in range(8)], fired
    taken = sorted(cause for cause in causes if cause.startswith("maps/"))
    assert taken == [f"maps/production/numbers@a{n}" for n in range(4)], taken
    ticks = sorted(datetime.fromisoformat(c.removeprefix("tick ")).timestamp() for c in causes if c.startswith("tick "))
    assert ticks == [ticks[0] + n for n in range(len(ticks))], "a tick is missing, or was launched twice"
    told = [line.split() for line in (tmp_path / "home" / "told").read_text().splitlines()]
    wanted = {each.id for each in found if each.labels.get(CAUSE_LABEL, "") in fired}
    assert {execution for _, execution, _ in told} == wanted, "somebody was not told, or of what is none of theirs"
    assert {phase for *_, phase in told} == {"SUCCEEDED"}
    assert len({id for id, *_ in told}) == len(wanted), "what was told twice has two ids"


def check_backfills(found):
    filled, stopped = (
        [each for each in found if each.labels.get(BACKFILL_LABEL) == id] for id in ("filled", "stopped")
    )
    ticks = sorted(each.labels[CAUSE_LABEL] for each in filled)
    assert ticks == [f"tick 1970-01-0{n + 1}T03:00:00+00:00" for n in range(6)], (
        "a tick is missing, or was launched twice"
    )
    assert {each.phase for each in filled} == {ExecutionPhase.SUCCEEDED}
    assert len({each.labels[CAUSE_LABEL] for each in stopped}) == len(stopped)
    assert {each.phase for each in stopped} == {ExecutionPhase.ABORTED}, "what was to be stopped goes on"


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_failpoint_everything_is_launched_once(tmp_path, point, number):
    points = tmp_path / "points"
    points.mkdir()
    first = begin(tmp_path, f"{point}:kill:{number}:{points}")
    code = first.wait(60)
    passed = (points / point).stat().st_size if (points / point).exists() else 0
    if number == 1 or passed >= number:
        assert code == -9, f"{point} is never passed\n{(tmp_path / 'log').read_text()}"
    if code != 0:
        assert begin(tmp_path).wait(60) == 0, (tmp_path / "log").read_text()
    await check(tmp_path)


async def test_killed_at_random_moments_everything_is_launched_once(tmp_path):
    seed = random.randrange(2**32)
    dice, kills = random.Random(seed), 0
    while kills < KILLS:
        program = begin(tmp_path, ticks=TICKS)
        await asyncio.sleep(dice.uniform(0.3, 1.2))
        if program.poll() is not None:
            assert program.returncode == 0, (tmp_path / "log").read_text()
            break
        program.kill()
        program.wait()
        kills += 1
    assert kills >= KILLS_MIN, f"seed {seed}: the program was faster"
    assert begin(tmp_path, ticks=TICKS).wait(60) == 0, f"seed {seed}: {(tmp_path / 'log').read_text()}"
    await check(tmp_path)
