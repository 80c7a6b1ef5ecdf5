"""Who holds a lock of a file."""

import subprocess
import sys

import pytest

from wingbeat.builtin import lockers

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not lockers.LOCKS.exists(), reason="the system does not tell")
def test_the_process_that_holds_a_lock_is_named(tmp_path):
    held, other = tmp_path / "held", tmp_path / "other"
    other.touch()
    command = [sys.executable, "-c", HOLD, str(held)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert lockers.lockers(held, other, tmp_path / "missing") == [process.pid]
        assert lockers.lockers(other) == []
        process.stdin.close()
    assert lockers.lockers(held) == []


def test_where_the_system_does_not_tell_nobody_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lockers, "LOCKS", tmp_path / "locks")
    assert lockers.lockers(tmp_path) == []
