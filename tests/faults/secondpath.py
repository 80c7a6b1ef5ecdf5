"""One home under two paths: python secondpath.py FOLDER, in a mount and process namespace of its own, which frees everything.

The home is mounted a second time (bind). A kernel that comes by the other path finds the one that works there; and one whose home
was taken over by the other path while it was stopped is fenced out.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from conftest import Place
from test_two_kernels import stop, until_open


def main(folder: Path) -> None:
    shared(folder / "shared")
    taken(folder / "taken")
    print("done")


def make(folder: Path) -> tuple[Place, Path]:
    """A place, and the second path of its home."""
    place, second = Place(folder, copies=6), folder / "second"
    place.home.mkdir()
    second.mkdir()
    subprocess.run(["mount", "--bind", place.home, second], check=True)
    return place, second


def begin_at(place: Place, path: Path) -> subprocess.Popen:
    first, place.home = place.home, path
    try:
        return place.begin()
    finally:
        place.home = first


def shared(folder: Path) -> None:
    """Who comes by the other path works through the one that is there."""
    place, second = make(folder)
    one = place.begin()
    until_open(place, one, 1)
    other = begin_at(place, second)
    until_open(place, other, 2)
    fences = place.fences()
    assert one.poll() is None, "it has ended too soon"
    assert fences == 1, "both have opened the journal"
    assert [one.wait(60), other.wait(60)] == [0, 0], place.log()
    place.check()
    place.kill_processes()


def taken(folder: Path) -> None:
    """Who is stopped while another takes the home over by the other path finds out before it does anything."""
    place, second = make(folder)
    first = place.begin()
    until_open(place, first, 1)
    assert stop(place, first, committing=False), place.log()
    (second / "kernel.lock").unlink()
    other = begin_at(place, second)
    until_open(place, other, 2)
    os.kill(first.pid, signal.SIGCONT)
    code, ended = first.wait(60), other.wait(60)
    assert (code, ended) == (1, 0), place.log()
    assert place.fences() == 2, place.log()
    said = (folder / "log1").read_text()
    assert any(told in said for told in ("FencedOut", "Another kernel runs", "ConflictError")), place.log()
    place.check()
    place.kill_processes()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
