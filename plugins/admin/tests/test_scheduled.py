"""Schedules, triggers and backfills in virtual worlds: some seeds in the default tests, more where faults are tested, after which
everything that can happen must have happened. ``SEED=17 pytest …`` plays one alone, ``SEEDS=500:600`` some."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from wingbeat.base.errors import SetAside
from wingbeat.testing.invariants import Broken
from wingbeat.testing.virtual.run import play
from wingbeat_admin.local import due
from wingbeat_admin.local.follower import Follower
from wingbeat_admin.local.refusals import refuse
from wingbeat_admin.local.store import Store

FROM, _, TO = os.environ.get("SEEDS", "10").rpartition(":")
SOME, MORE = range(int(FROM or 0), int(TO)), range(100, 200)
FOUND_MAX, SAME = 100, 8
EXPECTED = [
    "fired by an end", "launched by a cause", "refused", "ticks filled", "ticks launched", "operator: fiddle", "operator: fill",
    "operator: fill_more", "operator: launch", "operator: look", "kernel: killed anywhere", "kernel: thawed", "clock: jumps back",
]  # fmt: skip


def _scenes():
    spec = importlib.util.spec_from_file_location("scheduled", Path(__file__).with_name("scheduled.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Admins


Admins = _scenes()


def played(seed, fired=None, scene=Admins):
    scenes = []

    def scene_of(world):
        scenes.append(scene(world))
        return scenes[0]

    try:
        return play(seed, fired, scene_of)
    finally:
        scenes[0].close()


@pytest.mark.timeout(900, method="thread")  # what an alarm raises would end a task of the world, and not the test
@pytest.mark.parametrize("seeds", [SOME, pytest.param(MORE, marks=pytest.mark.faults)], ids=["some", "more"])
def test_whatever_happens_a_tick_gives_one_execution(seeds):
    if "SEED" in os.environ:
        played(int(os.environ["SEED"]))
        return
    fired: Counter[str] = Counter()
    for seed in seeds:
        played(seed, fired)
    if seeds is MORE:
        never = [kind for kind in EXPECTED if not fired[kind]]
        assert not never, f"these never happened: {never}; they did: {dict(fired)}"


@pytest.mark.faults
def test_a_seed_is_the_same_in_every_process():
    def traces(hashseed):
        environment = {**os.environ, "PYTHONHASHSEED": hashseed}
        return subprocess.run(
            [sys.executable, __file__], env=environment, check=True, capture_output=True, text=True
        ).stdout

    once = traces("1")
    assert len(once.splitlines()) == SAME
    assert once == traces("2")


def a_launch_has_another_id_each_time(patch):
    numbers = iter(range(10**6))
    patch.setattr(due, "execution_id", lambda plan, cause: f"launch-{next(numbers)}")


def a_launch_is_noted_before_it_is_done(patch):
    launch_one = Follower._launch_one

    async def noted(self, due):
        await self._do(Store.launched, due.execution)
        await launch_one(self, due)

    patch.setattr(Follower, "_launch_one", noted)


def changes_are_passed_over_before_they_are_noted(patch):
    project = Store.project

    def passed_over(store, number):
        store.db.execute("UPDATE meta SET value = ? WHERE key = 'cursor'", (number,))

    async def note(self):
        async for changes in self._engine.changes(await self._do(Store.cursor)):
            if changes:
                await self._do(passed_over, changes[-1].number)
                await asyncio.sleep(1.0)  # a window that a kill hits now and then
                await self._do(project, changes, self._clock())
                self._due.set()
                self._changed.set()
            self._all_noted.set()
            self._noted.set()

    patch.setattr(Follower, "_note", note)


def what_cannot_be_read_for_now_is_refused(patch):
    async def launch_due(self, due):
        try:
            await (self._launch_tick(due) if due.backfill else self._launch_one(due))
        except SetAside as error:
            await self._do(Store.refused, due.execution, str(error))

    patch.setattr(Follower, "_launch_due", launch_due)


def what_waits_is_taken_not_to_run(patch):
    add_tick = due.add_tick

    def refusing(db, id, schedule, tick):
        if schedule.overlap == "cancel_other":
            query = "SELECT execution FROM due WHERE plan = ? AND serial AND state = 'waiting'"
            for (other,) in db.execute(query, (str(id.entity),)).fetchall():
                refuse(db, other, "another one has taken its place")
        return add_tick(db, id, schedule, tick)

    patch.setattr(due, "add_tick", refusing)


class Harsh(Admins):
    """Kernels live shortly, cannot read what there is, and executions make way for others."""

    overlaps = ("cancel_other",)
    rates = {"kernel: killed anywhere": 1.0, "kernel: killed after a commit": 0.02, "journal: cannot be read": 0.1}


@pytest.mark.faults
@pytest.mark.timeout(900, method="thread")  # what an alarm raises would end a task of the world, and not the test
@pytest.mark.parametrize(
    ("bug", "scene"),
    [
        (a_launch_has_another_id_each_time, Admins),
        (a_launch_is_noted_before_it_is_done, Admins),
        (changes_are_passed_over_before_they_are_noted, Admins),
        (what_cannot_be_read_for_now_is_refused, Harsh),
        (what_waits_is_taken_not_to_run, Harsh),
    ],
)
def test_bugs_that_are_planted_are_found(bug, scene, monkeypatch):
    bug(monkeypatch)
    for seed in range(FOUND_MAX):
        try:
            played(seed, scene=scene)
        except Broken:
            return
    pytest.fail(f"not found in {FOUND_MAX} seeds")


if __name__ == "__main__":
    for number in range(SAME):
        sys.stdout.write(f"{number} {played(number).trace}\n")
