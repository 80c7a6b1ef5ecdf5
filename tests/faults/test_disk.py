"""The disk says no: it is full, or the journal cannot be written or flushed."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

HERE = Path(__file__).parent
AT = (1, 2, 3, 5, 8, 13, 21, 34, 55)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("not run here: errors of the journal's file: there is no C compiler (cc)")
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, HERE / "shim.c", "-ldl"], check=True)
    return made


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("call", ["sync", "write"])
def test_an_error_of_the_journal_stops_the_engine_and_is_not_tried_again(place, shim, call, at):
    log = place.folder / "shim"
    armed = {"LD_PRELOAD": str(shim), "FAULT_CALL": call, "FAULT_AT": str(at), "FAULT_LOG": str(log)}
    code = place.begin(**armed).wait(60)
    assert log.exists(), f"there were fewer than {at} calls\n{place.log()}"
    said = log.read_text().splitlines()
    if (
        said[0] == "failed log"
    ):  # a commit; else what is done when the file is opened or closed, or in between without haste
        assert code == 1, place.log()
        assert "JournalUnknown" in place.log(), place.log()
        assert said == ["failed log"], "what had failed was tried again"
    place.finish()


FIRST, LATER = (1, 2, 3, 5, 8, 13), range(5, 200, 15)
"""Reads of the journal's file at a start: of an empty home, and of one whose log has to be read."""


@pytest.mark.parametrize(("killed", "at"), [*((False, at) for at in FIRST), *((True, at) for at in LATER)])
def test_an_error_when_the_journal_is_read_is_told_and_nothing_is_lost(place, shim, killed, at):
    if killed:
        assert place.start("executor.ended", n=20) == -signal.SIGKILL, place.log()
    log = place.folder / "shim"
    armed = {"LD_PRELOAD": str(shim), "FAULT_CALL": "read", "FAULT_AT": str(at), "FAULT_LOG": str(log)}
    code = place.begin(**armed).wait(60)
    assert log.exists() or at > min(LATER[-6:]), f"there were fewer than {at} calls\n{place.log()}"
    said = (place.folder / f"log{place.starts}").read_text()
    assert code == 0 or (code == 1 and ("JournalUnknown" in said or "SetAside" in said)), place.log()
    place.finish()


def test_a_full_disk_refuses_new_work_serves_reads_and_goes_on_when_there_is_room(tmp_path, mounting):
    command = [*mounting, sys.executable, str(HERE / "fulldisk.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
