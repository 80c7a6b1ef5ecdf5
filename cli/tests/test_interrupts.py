"""How a command ends by a signal."""

import asyncio
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from wingbeat_cli.follow import Interrupts

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


@pytest.mark.parametrize("line", [("run", "flow.py", "pipeline", "--x", "3"), ("relaunch", "e1"), ("recover", "e1")])
def test_whoever_stays_with_an_execution_aborts_it(world, wingbeat, line):
    world.interrupted = True
    assert wingbeat(*line).status == 0
    assert world.aborted == ["interrupted by Ctrl-C"]


@pytest.mark.parametrize("command", ["run", "launch", "relaunch", "recover"])
def test_the_help_says_what_ctrl_c_does(wingbeat, command):
    assert "Ctrl-C aborts" in wingbeat(command, "--help").out


@pytest.mark.parametrize(
    ("again", "told"), [(True, "the same command goes on"), (False, "'wingbeat watch execution e1' looks on while")]
)
def test_who_leaves_at_once_is_told_how_to_come_back(monkeypatch, again, told):
    notes, left = [], []
    monkeypatch.setattr("wingbeat_cli.follow.os._exit", left.append)
    screen = SimpleNamespace(note=notes.append, close=lambda: None)

    async def twice():
        execution = SimpleNamespace(id="e1", abort=lambda reason: asyncio.sleep(0))
        interrupts = Interrupts(execution, screen, again=again)
        interrupts.interrupt()
        interrupts.interrupt()
        await asyncio.sleep(0)

    asyncio.run(twice())
    assert left == [130]
    assert told in notes[1]
