"""Environments that nobody was given for long, as folders: real ones are in `test_contract.py`."""

import asyncio
import fcntl
import os
import subprocess
import sys
import time

import pytest

from wingbeat.builtin.environments import UvEnvironments, clearing
from wingbeat.builtin.environments.clearing import clear, note_use
from wingbeat.contracts.environment import MARK, Cleared
from wingbeat.runtime import inuse

NOW = time.time()
HOUR_S = 3600.0


@pytest.fixture
def made(tmp_path):
    """Environments of 8 bytes that were last used so many seconds ago."""

    def make(name: str, age_s: float, mark: bool = True):
        folder = tmp_path / name
        (folder / "lib").mkdir(parents=True)
        (folder / "lib" / "module.py").write_bytes(b"x = 1  #")
        if mark:
            (folder / MARK).touch()
        for path in (folder / MARK, folder) if mark else (folder,):
            os.utime(path, (NOW - age_s, NOW - age_s))
        return folder

    return make


def names(folder):
    return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


def test_what_was_not_used_since_goes_whole(made, tmp_path):
    made("old", 2 * HOUR_S), made("new", 0)
    assert clear(str(tmp_path), NOW - HOUR_S, dry=True) == Cleared(1, 8)
    assert names(tmp_path) == ["new", "old"]
    assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(1, 8)
    assert names(tmp_path) == ["new"]
    assert clear(str(tmp_path / "nowhere"), NOW, dry=False) == Cleared(0, 0)


def test_to_be_given_to_somebody_is_a_use(made, tmp_path):
    folder = made("old", 2 * HOUR_S)
    assert note_use(str(folder))
    assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(0, 0)
    assert not note_use(str(tmp_path / "nowhere"))


def test_what_a_process_runs_in_stays_also_if_only_what_it_has_forked_is_left(made, tmp_path):
    folder = made("old", 2 * HOUR_S)
    program = f"""
import os, time
from wingbeat.runtime.inuse import hold
hold({str(folder)!r})
if os.fork() == 0:
    print(os.getpid(), flush=True)
    input()
    os._exit(0)
os._exit(0)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline()
        process.wait()
        assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(0, 0)
        process.stdin.write(b"\n")
        process.stdin.close()
        deadline = time.monotonic() + 20
        while clear(str(tmp_path), NOW - HOUR_S, dry=False) != Cleared(1, 8):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.stdout.close()
    assert names(tmp_path) == []


def test_where_nothing_was_built_nothing_is_held(tmp_path):
    inuse.hold(str(tmp_path))
    assert not inuse._held


def test_who_holds_while_somebody_looks_tries_again(made, monkeypatch):
    folder = made("old", 0)
    monkeypatch.setattr(inuse, "_held", held := [])
    with (folder / MARK).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        monkeypatch.setattr(inuse.time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        inuse.hold(str(folder))
    assert len(held) == 1
    os.close(held[0])


def test_what_is_built_stays_and_what_is_half_built_goes(made, tmp_path):
    made("half", 2 * HOUR_S, mark=False), made("begun", 0, mark=False), made("building", 2 * HOUR_S, mark=False)
    with (tmp_path / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(1, 8)
    assert names(tmp_path) == ["begun", "building"]


def test_what_a_crash_has_left_half_removed_goes_next_time(made, tmp_path, monkeypatch):
    made("old", 2 * HOUR_S)
    monkeypatch.setattr(clearing.shutil, "rmtree", lambda *_, **__: None)
    assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(1, 8)
    (left,) = names(tmp_path)
    assert left.startswith("old.")
    assert not note_use(str(tmp_path / "old")), "nobody is given what is being removed"
    monkeypatch.undo()
    assert clear(str(tmp_path), NOW - HOUR_S, dry=True) == Cleared(0, 0)
    assert clear(str(tmp_path), NOW - HOUR_S, dry=False) == Cleared(0, 0)
    assert names(tmp_path) == []


def test_who_is_given_one_at_the_moment_of_its_removal_keeps_it_or_is_told(made, tmp_path):
    """Many times: what `note_use` has answered for is there when both have answered."""

    async def main():
        for number in range(200):
            folder = made(f"e{number}", 2 * HOUR_S)
            given, cleared = await asyncio.gather(
                asyncio.to_thread(note_use, str(folder)),
                asyncio.to_thread(clear, str(tmp_path), NOW - HOUR_S, dry=False),
            )
            assert given == folder.exists()
            assert given or cleared.environments

    asyncio.run(main())


async def test_the_cache_of_the_machine_is_cleared(made, tmp_path):
    made("cache/environments/old", 2 * HOUR_S)
    environments = UvEnvironments(None, cache=str(tmp_path / "cache"))
    assert await environments.clear(NOW - HOUR_S) == Cleared(1, 8)
