"""Content of files on the way in and out of a store: in chunks, never a whole file in memory."""

from __future__ import annotations

import errno
import hashlib
import os

from wingbeat.builtin.durable import CHUNK_BYTES, write_all


def read_small(fd: int) -> bytes:
    """The whole file if it is as small as it was said to be, else more than one chunk of it."""
    data = b""
    while len(data) <= CHUNK_BYTES and (more := os.read(fd, CHUNK_BYTES + 1 - len(data))):
        data += more
    return data


def hash_stream(source: int, target: int | None = None) -> tuple[str, int]:
    """Digest and size of an open file, from its start, written to `target` on the way."""
    os.lseek(source, 0, os.SEEK_SET)
    state = hashlib.sha256()
    size = 0
    while chunk := os.read(source, CHUNK_BYTES):
        state.update(chunk)
        size += len(chunk)
        if target is not None:
            write_all(target, chunk)
    return f"sha256:{state.hexdigest()}", size


def link_or_copy(source: str, target: str, *, executable: bool, time_ns: int) -> None:
    """A new read-only name for the content of `source`: a hard link where it can be one, else a copy."""
    if executable or not _link(source, target):
        _copy(source, target, 0o555 if executable else 0o444, time_ns)


def _link(source: str, target: str) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        # Too many links to one file, or a file system without them.
        if error.errno in (errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EACCES):
            return False
        raise
    return True


def _copy(source: str, target: str, mode: int, time_ns: int) -> None:
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while chunk := os.read(read, CHUNK_BYTES):
                write_all(write, chunk)
            os.fchmod(write, mode)
            os.utime(write, ns=(time_ns, time_ns))
        finally:
            os.close(write)
    finally:
        os.close(read)
