"""Processes of attempts that a kit has left running: what hangs in one outlives the kernel that has begun it, as it should."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

ROUNDS_MAX = 20
"""So often they are looked for: one that is ended may just have started another."""


def begun_in(folder: str) -> list[int]:
    """Processes that have the directory of an attempt below `folder` in their environment."""
    wanted = f"WINGBEAT_DIRECTORY={folder}/".encode()
    return [process for process, file in _processes("environ") if wanted in file]


def end(folder: str) -> None:
    """Kill what runs attempts whose directories are below `folder`, and what those have started. Only where there is ``/proc``."""
    for _ in range(ROUNDS_MAX):
        at = f"{folder}/".encode()
        running = [process for process, said in _processes("cmdline") if b"\0wingbeat.runtime." in said and at in said]
        found = {*running, *begun_in(folder)} - {os.getpid()}
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _processes(file: str) -> list[tuple[int, bytes]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((int(folder.name), (folder / file).read_bytes()))
    return found
