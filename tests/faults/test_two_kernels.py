"""Two kernels and one home: a holder that is stopped, and one that finds its home taken when it wakes."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

STOPPED_S = 5.0


def until_open(place, process, start: int) -> None:
    log = place.folder / f"log{start}"
    deadline = time.monotonic() + 30
    while "open" not in log.read_text():
        assert process.poll() is None, place.log()
        assert time.monotonic() < deadline, place.log()
        time.sleep(0.005)


def test_a_holder_that_is_stopped_keeps_its_home_and_others_wait(make_place):
    place = make_place(copies=4)
    holder = place.begin()
    until_open(place, holder, 1)
    waiting = place.begin()
    until_open(place, waiting, 2)
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        late = place.begin()
        time.sleep(STOPPED_S)
        assert waiting.poll() is None
        assert late.poll() is None
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    assert [process.wait(60) for process in (holder, waiting, late)] == [0, 0, 0], place.log()
    place.check()


def stopped(process) -> bool:
    """Whether none of its threads runs any more: a signal is sent, and taken some time later, after a flush for example."""
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            if stat.read_text().rpartition(")")[2].split()[0] != "T":
                return False
    return True


def stop(place, process, *, committing: bool) -> bool:
    """Stop it while it is committing, or while it is not. False if it has ended before the moment came."""
    while process.poll() is None:
        os.kill(process.pid, signal.SIGSTOP)
        while process.poll() is None and not stopped(process):
            time.sleep(0.001)
        with contextlib.closing(sqlite3.connect(place.home / "journal.sqlite", timeout=0, isolation_level=None)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                locked = False
            except sqlite3.OperationalError:
                locked = True
        if locked is committing:
            return True
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.005)
    return False


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.2, 0.4])
def test_a_kernel_whose_home_was_taken_while_it_was_stopped_is_fenced_out(make_place, after_s):
    place = make_place(copies=6)
    first = place.begin()
    until_open(place, first, 1)
    time.sleep(after_s)
    assert stop(place, first, committing=False), place.log()
    try:
        (place.home / "kernel.lock").unlink()  # as somebody does who believes that nobody is there
        second = place.begin()
        until_open(place, second, 2)
        time.sleep(0.3)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    code = first.wait(60)
    third = place.begin()  # it finds the second one, whose socket is still there
    assert [second.wait(60), third.wait(60)] == [0, 0], place.log()
    assert code == 1, place.log()
    said = (
        place.folder / "log1"
    ).read_text()  # before it has written anything, it may have read what the other one does
    assert any(told in said for told in ("FencedOut", "Another kernel runs", "ConflictError")), place.log()
    place.check()


def test_a_second_path_of_the_home_is_the_same_home(tmp_path, mounting):
    command = [*mounting, sys.executable, str(Path(__file__).with_name("secondpath.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"


def test_a_kernel_that_is_stopped_in_a_commit_keeps_its_journal(make_place):
    for _ in range(10):
        place = make_place(copies=6)
        first = place.begin()
        until_open(place, first, 1)
        if stop(place, first, committing=True):
            break
    else:
        pytest.fail("no commit was met")
    try:
        (place.home / "kernel.lock").unlink()
        second = place.begin()
        assert second.wait(60) == 1, place.log()
        said = (place.folder / "log2").read_text()
        assert "database is locked" in said, place.log()
        assert f"Process {first.pid} has held its lock for more than 10 s" in said, place.log()
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert first.wait(60) == 0, place.log()
    place.check()
