"""At every failpoint a process is killed; at some an error is raised or time is lost: nothing is lost or doubled.

Which failpoints there are is read from the sources; a new one is walked without a line here, and fails if it is not reached.
"""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("kernel/src", "cli/src", "plugins")
    for path in (ROOT / folder).rglob("*.py")
    if not {"wingbeat_container", "wingbeat_admin"} & {*path.parts}
]  # whose failpoints are walked by their own tests: they need an engine of containers, and launches by triggers
NAMES = sorted({name for path in SOURCES for name in re.findall(r'\bhit\("([^"]+)"\)', path.read_text())})
POINTS_MIN = 60

RECOVERING = ("recover.", "executor.adopted")
BETWEEN_TWO = ("serve.called", "serve.answering", "remote.", "home.holder-gone")
REDONE = ("attempt.returned", "files.written", "gang.", "store.")
"""Where an attempt can have called its function without having its outcome down: the next one may do it again."""

UNCACHED = ("catalog.entry-written", "catalog.publishing", "lookup.hit", "publish.before")
"""Where an error loses what the catalog has or gets, which is a hint: it is computed again."""

LEFT = (*REDONE, *UNCACHED)

ERRORS = (
    "attempt.returned", "attempt.settled", "bundle.scanned", "catalog.entry-written", "catalog.lookup",
    "catalog.publishing", "catalog.reserved", "executor.before-send", "executor.directory-made", "executor.sent",
    "executor.slots-taken", "file.written", "files.written", "gang.forked", "journal.begun", "journal.inserted", "journal.written",
    "lookup.before", "parent.claimed", "parent.spawning", "publish.before", "reserve.granted", "store.synced",
    "store.written",
)  # fmt: skip
"""Failpoints at places where the system can say no."""

DELAYS = (
    "attempt.forked", "attempt.outcome-written", "commit.after-append", "executor.sent", "journal.begun", "lookup.before",
    "parent.claimed", "parent.started", "serve.answering", "submit.before",
)  # fmt: skip
"""Failpoints at which time is lost while others go on."""

TIMES, SEED = int(os.environ.get("FAULTS_TIMES", "1")), os.environ.get("FAULTS_SEED", "1")
SHARE = 12
"""Of the other failpoints, so many are met with an error and with a delay, chosen by the seed; all of them in `make faults`."""


def _share(action: str, listed: tuple[str, ...]) -> list[str]:
    names = [name for name in NAMES if name not in listed]
    if TIMES > 1:
        return names
    return sorted(random.Random(f"{SEED}/{action}").sample(names, SHARE))


def test_there_are_enough_failpoints_and_one_name_stands_in_one_place(tell):
    tell(f"failpoints: {len(NAMES)} by kill, {len(ERRORS)} by error, {len(DELAYS)} by delay")
    assert len(NAMES) >= POINTS_MIN
    assert set(ERRORS) | set(DELAYS) <= set(NAMES)
    every = [name for path in SOURCES for name in re.findall(r'\bhit\("([^"]+)"\)', path.read_text())]
    assert sorted(every) == NAMES


def test_undisturbed_every_step_runs_once(place):
    place.finish()
    assert place.starts == 1


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_a_failpoint_everything_is_done_once(make_place, name, times):
    for n in range(1, 1 + min(times, 4)):
        place = make_place()
        _meet(place, name, "kill", n)
        if n == 1 or place.passed(name) >= n:
            assert place.passed(name) >= n, f"{name} is never passed\n{place.log()}"
        place.finish(redone=1 if name.startswith(REDONE) else 0)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_at_a_failpoint_is_survived(place, name):
    _meet(place, name, "error", 1)
    assert place.passed(name), f"{name} is never passed\n{place.log()}"
    place.finish(redone=1 if name.startswith(LEFT) else 0)


@pytest.mark.parametrize("name", _share("error", ERRORS))
def test_an_error_where_the_system_never_says_no_loses_nothing_either(place, name):
    _meet(place, name, "error", 1)
    assert place.passed(name), f"{name} is never passed\n{place.log()}"
    place.finish(redone=1 if name.startswith(LEFT) else 0)


@pytest.mark.parametrize("name", [*DELAYS, *_share("delay", DELAYS)])
def test_time_lost_at_a_failpoint_changes_nothing(place, name):
    code = _meet(place, name, "delay", 1)
    assert place.passed(name), f"{name} is never passed\n{place.log()}"
    assert code == 0, place.log()
    place.check()


def _meet(place, name, action, n):
    """Have the program pass the failpoint; the exit code of the program (of the last, where there are several)."""
    if name.startswith(BETWEEN_TWO):
        return _two(place, name, action, n)
    if name.startswith(RECOVERING):  # the victims run by then
        assert place.start("executor.ended", n=30) == -signal.SIGKILL, place.log()
    if name.startswith("parents."):
        assert place.start("compile.kept") == -signal.SIGKILL, place.log()
        place.kill_processes()  # the parent that the compile has left
    code = place.start(name, action=action, n=n)
    if name == "parent.leaving":
        deadline = time.monotonic() + 20
        while not place.passed(name) and time.monotonic() < deadline:
            time.sleep(0.05)
    return code


def _two(place, name, action, n):
    """Two programs share the home; the one that is not killed ends by itself."""
    place.copies = 8  # so that the second one comes before the first has ended
    holder = place.begin(name, action=action, n=n)
    log = place.folder / "log1"
    deadline = time.monotonic() + 30
    while "open" not in log.read_text() and holder.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    other = place.begin(name, action=action, n=n)
    if name == "home.holder-gone":
        _until_connected(place, other)
        holder.kill()
    codes = [process.wait(60) for process in (holder, other)]
    killed = [code for code in codes if code == -signal.SIGKILL]
    assert len(killed) <= 2 if name == "home.holder-gone" else 1, (codes, place.log())
    ends = (0, -signal.SIGKILL, 1) if action == "error" else (0, -signal.SIGKILL)
    assert all(code in ends for code in codes), (codes, place.log())
    return max(codes)


def _until_connected(place, other: subprocess.Popen) -> None:
    log = place.folder / "log2"
    deadline = time.monotonic() + 30
    while "open" not in log.read_text() and other.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
