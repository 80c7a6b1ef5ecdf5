"""How a command ends by a signal."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import time
from wingbeat_cli.interrupts import leave_at_once, undone

leave_at_once()
with undone():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("undone", flush=True)
print("it went on")
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_what_was_begun_is_undone_and_then_it_ends(number, status):
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (status, "undone\n"), err
