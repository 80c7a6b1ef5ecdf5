"""The process of an attempt. It outlives the engine that started it; the next one finds it by its lock."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import threading

from wingbeat.attempts import CONTAINED, AttemptFiles, attempt_variables, fetch_bundle, job_outcome, write_job
from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, AttemptRequest, Failed, Outcome
from wingbeat.contracts.home import Home
from wingbeat.spec.outcome import ErrorInfo

LOCK = "sequential-lock"
"""Held by the process for as long as it is there."""
PID = "sequential-pid"
LOOK_S = 0.03


async def prepare(home: Home, request: AttemptRequest) -> AttemptFiles:
    """Have an attempt run: start it, or find the one that was started before. Raises OSError, `ConfigurationError`."""
    files = AttemptFiles(f"{home.path}/attempts", request.id)
    if not await asyncio.to_thread(files.claimed):
        found = await home.environments().ensure(request.declared_environment, request.environment)
        await asyncio.to_thread(_start, home, files, request, found.python)
    return files


def _start(home: Home, files: AttemptFiles, request: AttemptRequest, python: str) -> None:
    files.make()
    bundle = fetch_bundle(home.storage(), request.bundle)
    write_job(request, files.path, inside=files.path, bundle=bundle, storages=home.storages())
    with open(f"{files.path}/{LOCK}", "wb") as lock, open(files.log, "ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not files.claim():
            return
        # The shell says who it is before it becomes the attempt: whoever wants to stop it always knows whom.
        named = [
            "/bin/sh",
            "-c",
            'echo $$ > "$0" && exec "$@"',
            f"{files.path}/{PID}",
            python,
            "-m",
            CONTAINED,
            files.path,
        ]
        child = subprocess.Popen(
            named,
            cwd=files.path,
            env={**os.environ, **attempt_variables(request, files.path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )
    threading.Thread(target=child.wait, name="sequential reaper", daemon=True).start()


async def ended(files: AttemptFiles) -> Outcome:
    """Wait until nothing of a claimed attempt runs: what became of it."""
    seen = False
    while runs(files):
        seen = True
        await asyncio.sleep(LOOK_S)
    if seen:  # else its number may be somebody else's by now
        await _kill(files)
    if (written := await asyncio.to_thread(job_outcome, files.path)) is not None:
        return written
    if (reason := files.refused()) is not None:
        return Aborted(reason)
    return Failed(ErrorInfo("Crashed", f"Its process has ended without a word; see {files.log}.", ErrorKind.SYSTEM))


async def stop(home: Home, attempt: str, reason: str) -> None:
    """See to it that an attempt never starts, or kill it; until nothing of it runs."""
    files = AttemptFiles(f"{home.path}/attempts", attempt)
    files.make()
    if await asyncio.to_thread(files.refuse, reason):
        return
    while runs(files):
        await _kill(files)
        await asyncio.sleep(LOOK_S)


async def _kill(files: AttemptFiles) -> None:
    """Kill what there is of its group."""
    number = files.read(PID) or b""
    with contextlib.suppress(ProcessLookupError, ValueError):
        os.killpg(int(number), signal.SIGKILL)


def runs(files: AttemptFiles) -> bool:
    """Whether its process is there."""
    try:
        with open(f"{files.path}/{LOCK}", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
