"""Environments of LMDB. It must not be opened twice in one process, so those who open the same file share it."""

from __future__ import annotations

import os
import threading

import lmdb

DATABASES = (
    "meta", "rows", "records", "numbers", "live", "keys", "snapshots", "closures", "digests", "changes", "changed",
)  # fmt: skip

_lock = threading.Lock()
_open: dict[tuple[int, str], tuple[lmdb.Environment, int]] = {}


def acquire(path: str, map_bytes: int) -> lmdb.Environment:
    """The environment of a file, made if it is not there, and made to last."""
    path = os.path.realpath(path)
    with _lock:
        key = (os.getpid(), path)
        env, count = _open.get(key, (None, 0))
        if env is None:
            env = lmdb.open(path, map_size=map_bytes, subdir=False, max_dbs=len(DATABASES), max_readers=512)
            folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        _open[key] = (env, count + 1)
        return env


def release(env: lmdb.Environment) -> None:
    """Close it, when nobody else has it."""
    with _lock:
        for key, (each, count) in list(_open.items()):
            if each is env:
                if count > 1:
                    _open[key] = (env, count - 1)
                else:
                    del _open[key]
                    env.close()
