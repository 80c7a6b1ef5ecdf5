"""The power is cut while a home is worked in: what was acknowledged is there, and executions go on and end right."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TIMES = int(os.environ.get("FAULTS_TIMES", "1"))

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400 * TIMES)]

CUTS = 25
"""In each file system."""


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cut_nothing_acknowledged_is_missing(kind, tmp_path, mounting, tell, seed):
    _need(kind)
    began, loops = time.monotonic(), _loops()
    script = Path(__file__).with_name("powercuts.py")
    command = [*mounting, sys.executable, str(script), kind, str(CUTS * TIMES), str(seed), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    tell(
        f"power cuts: {found['cuts']} on {kind} in {found['homes']} homes, {time.monotonic() - began:.0f} s, seed {seed}: of "
        f"{found['launches']} launches and {found['ends']} results acknowledged before a cut 0 lost"
    )
    assert found["cuts"] == CUTS * TIMES
    assert not _left(tmp_path, loops)


def _need(kind: str) -> None:
    for tool in ("unshare", "mount", "umount", f"mkfs.{kind}"):
        if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            pytest.skip(f"not run here: power cuts on {kind}: there is no {tool}")


def _loops() -> set[str]:
    return set(subprocess.run(["losetup", "--all"], capture_output=True, text=True).stdout.splitlines())


def _left(folder: Path, before: set[str]) -> list[str]:
    """Loop devices and mounts that the test has left."""
    deadline = time.monotonic() + 5
    while found := [line for line in _loops() - before if str(folder) in line]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return [*found, *(line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line)]
