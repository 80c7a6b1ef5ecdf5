"""Environment variables that hold secrets are kept from everybody but the source that reads them.

A process that goes on to run code of the user's takes them out of its environment first, so that no task finds in it, and no
program that a task starts inherits, what it has not declared.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

PREFIX = "WINGBEAT_SECRET_"

variables: dict[str, str] = {}
"""What was taken out of the environment of this process, or of the one that it was forked from."""


def withhold() -> None:
    """Take them out; also out of what other processes see of this one's environment, where that can be done."""
    found = [name for name in os.environ if name.startswith(PREFIX)]
    if not found:
        return
    for name in found:
        variables[name] = os.environ.pop(name)
    if sys.platform == "linux":
        with suppress(OSError, ValueError, IndexError):
            _overwrite()


def _overwrite() -> None:
    """The system shows the memory in which the process found its environment when it was started. No variable that the process
    still has is touched."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    begin = int(fields[47])  # env_start, the fiftieth; the first two are before the bracket
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    at = begin
    for entry in entries:
        if entry.startswith(PREFIX.encode()):
            ctypes.memset(at, 0, len(entry))
        at += len(entry) + 1
