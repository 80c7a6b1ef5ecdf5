"""What a worker does: it starts the process of an attempt, and waits until nothing of it runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time

from wingbeat.attempts import AttemptFiles

CANCEL = "dask-cancel"
"""This file in the directory of an attempt has it stopped; whoever shares the home can write it."""
LOCK = "dask-lock"
"""Held from before the claim until nothing runs."""
LOOK_S = 0.05


def run_attempt(attempts: str, attempt: str, variables: dict[str, str]) -> int | None:
    """Run the process of an attempt; its exit code. None if that was done before: Dask may call twice, one claims."""
    files = AttemptFiles(attempts, attempt)
    with open(f"{files.path}/{LOCK}", "wb") as lock, contextlib.ExitStack() as stack:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not files.claim():
            return None
        reader, writer = os.pipe()
        stack.callback(os.close, writer)
        command = [sys.executable, "-m", "acme_dask.inside", str(reader), files.path]
        try:
            with open(files.log, "ab") as log:
                child = subprocess.Popen(
                    command,
                    cwd=files.path,
                    env={**os.environ, **variables},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(reader, lock.fileno()),
                    start_new_session=True,
                )
        finally:
            os.close(reader)
        stack.callback(_end, child)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(LOOK_S)
            if files.read(CANCEL) is not None:
                _kill(child.pid)


def runs(files: AttemptFiles) -> bool:
    """Whether anything of an attempt that was claimed runs: its worker and its process hold the lock."""
    try:
        with open(f"{files.path}/{LOCK}", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its group, and wait until nothing is."""
    while _kill(child.pid):
        if child.poll() is None:
            child.wait()
        time.sleep(0.005)


def _kill(group: int) -> bool:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
