"""Local files on their way into a store."""

from __future__ import annotations

import os
import stat


def check_file(path: str) -> bool:
    """Whether a local file may be executed. Raises FileNotFoundError, IsADirectoryError, ValueError if it is none."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a directory")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is neither a file nor a directory")
    return bool(mode & stat.S_IXUSR)
