"""Power cuts: python powercuts.py FS COUNT SEED FOLDER, in a mount and process namespace of its own, which frees everything.

A home lies in a file system of its own. While its program runs, the file system is shut down by an ioctl that drops what is not
on the disk, its log included; everything is killed, it is mounted again, and the home is opened again. Prints a line of JSON.

Only what was acknowledged before the ioctl began counts: a commit that is on its way while a file system shuts down can be told
to have succeeded, which no disk does.
"""

import contextlib
import fcntl
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

from conftest import Place

SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
"""EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: _IOR('X', 125, u32)."""
WITHOUT_LOG_FLUSH = 2
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
BYTES = 320 * 2**20
CUTS_MAX = 3
"""How often the power of one home is cut: an attempt that is lost more often fails."""
IN_FLIGHT_MAX = 16
"""Attempts that can be without an outcome in the journal: those in the slots, and those whose end is just being written."""


def main(kind: str, count: int, seed: str, folder: Path) -> None:
    dice = random.Random(f"{seed}/{kind}")
    cuts = homes = launches = ends = 0
    while cuts < count:
        homes += 1
        place = Place(folder / f"place{homes}", home=folder / f"disk{homes}" / "home", copies=2)
        disk = place.home.parent
        disk.mkdir()
        image = folder / f"image{homes}"
        with image.open("wb") as file:
            file.truncate(BYTES)
        subprocess.run([*MAKE[kind], image], check=True, capture_output=True)
        mount(image, disk)
        lost = 0
        while cuts < count and lost < CUTS_MAX:
            began = cut(place, disk, dice.uniform(0.3, 2.5))
            if began is None:
                break
            umount(disk)
            mount(image, disk)
            cuts, lost = cuts + 1, lost + 1
            acknowledged, ended = look(place, began)
            launches, ends = launches + acknowledged, ends + ended
        place.finish(redone=lost * IN_FLIGHT_MAX, cut=True)
        place.kill_processes()
        umount(disk)
        image.unlink()
    print(json.dumps({"cuts": cuts, "homes": homes, "launches": launches, "ends": ends}))


def cut(place: Place, disk: Path, seconds: float) -> float | None:
    """Run the program and cut the power: when that began; None if the program was faster."""
    program = place.begin()
    deadline = time.monotonic() + seconds
    while program.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if program.poll() is not None:
        return None
    fd = os.open(disk, os.O_RDONLY)
    try:
        began = time.monotonic()
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
    finally:
        os.close(fd)
    program.kill()
    program.wait()
    place.kill_processes()
    return began


def look(place: Place, began: float) -> tuple[int, int]:
    """Nothing that was acknowledged is missing, and the journal is whole: how many launches and ends that were."""
    acknowledged, ended = place.acknowledged(began), place.acknowledged(began, "ended")
    if not acknowledged:
        return 0, 0
    with contextlib.closing(sqlite3.connect(place.home / "journal.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        phases = dict(db.execute("SELECT id, phase FROM executions"))
    assert acknowledged <= phases.keys(), f"lost: {acknowledged - phases.keys()}"
    assert {name for name in ended if phases[name] != "SUCCEEDED"} == set(), (ended, phases)
    return len(acknowledged), len(ended)


def mount(image: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)


def umount(disk: Path) -> None:
    deadline = time.monotonic() + 10
    while subprocess.run(["umount", disk], check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline, f"{disk} is still in use"
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
