"""Who holds the locks of a file, as the system tells it."""

from __future__ import annotations

import os
from pathlib import Path

LOCKS = Path("/proc/locks")


def lockers(*paths: Path) -> list[int]:
    """Ids of other processes that hold a lock of any of these files. Empty where the system does not tell."""
    files = set()
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        files.add(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}")
    try:
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return []
    found = set()
    for (
        line
    ) in lines:  # 1: POSIX  ADVISORY  WRITE 4711 fd:01:393244 120 120; who waits for one has an arrow before its kind
        words = line.split()
        if len(words) == 8 and words[5] in files and words[4].isdigit():
            found.add(int(words[4]))
    return sorted(found - {0, os.getpid()})
