"""Files that survive a crash: atomic writing, and scratch space whose strays are told from what is being written.

Whoever writes into scratch space holds a lock on the entry, which the system drops with the process. So an entry that
can be locked belongs to nobody, however old or young it is, in whatever container its writer ran.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from wingbeat.contracts.failpoints import hit

CHUNK_BYTES = 2**20


def fsync_directory(path: str) -> None:
    """Make the entries of a directory durable: what was created in it or renamed into it before."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: str) -> None:
    """Create a directory and its parents, durably, unless it is there."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_directory(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    fsync_directory(parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`: one call of the system may write less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_atomic(path: str, data: bytes, *, durable: bool = False) -> None:
    """Replace the file at `path` by `data`: readers see the old content or the new one, never a part.

    Args:
        durable: It must also survive a power cut; caches need not.
    """
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{_unique(8)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        hit("file.written")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    hit("file.replaced")
    if durable:
        fsync_directory(folder)


@contextlib.contextmanager
def scratch_file(folder: str) -> Iterator[tuple[int, str]]:
    """A new empty file in `folder`: its descriptor and path. It is removed at the end unless it was renamed away."""
    while True:
        path = os.path.join(folder, _unique(16))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if _claim(fd, path):
            break
        os.close(fd)
    try:
        yield fd, path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.close(fd)


@contextlib.contextmanager
def scratch_directory(folder: str) -> Iterator[str]:
    """A new empty directory in `folder`. It is removed at the end unless it was renamed away."""
    while True:
        path = os.path.join(folder, _unique(16))
        os.mkdir(path, 0o755)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if _claim(fd, path):
            break
        os.close(fd)
    try:
        yield path
    finally:
        _remove_tree(path)
        os.close(fd)


def collect_scratch(folder: str) -> None:
    """Remove what processes that are gone left in `folder`."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.isdir(path):
                    _remove_tree(path)
                else:
                    os.unlink(path)
            finally:
                os.close(fd)


def _unique(count: int) -> str:
    """A name that nobody else chooses; `secrets` would import six modules for it."""
    return os.urandom(count).hex()


def _remove_tree(path: str) -> None:
    import shutil  # many commands remove none

    shutil.rmtree(path, ignore_errors=True)


def _claim(fd: int, path: str) -> bool:
    """Lock a new scratch entry; False if a collector was faster and removed it."""
    # A file system without locks (some NFS) has collectors that fail as well, and so collect nothing.
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
