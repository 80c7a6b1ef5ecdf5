"""Logs of attempts, kept to a size.

An attempt's process writes its log by itself, so that nothing is lost and nothing waits when its parent or the kernel is
gone. Its parent looks at the size from time to time, and takes the middle out of a log that has become too long.
"""

from __future__ import annotations

import os

from wingbeat.runtime.files import LOG, read_all, write_all


def trim(directory: str, bytes_max: int) -> bool:
    """Shorten the log of an attempt that may be running to half of `bytes_max`, if it is over that; its beginning and its end
    stay. False if there was nothing to do. Raises OSError.

    Writers append, so what they write next comes behind what is left. What they write in this moment may be lost.
    """
    fd = os.open(f"{directory}/{LOG}", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        if size <= bytes_max:
            return False
        part = bytes_max // 4
        os.lseek(fd, size - part, os.SEEK_SET)
        tail = read_all(fd, part)
        os.ftruncate(fd, part)
        write_all(
            fd, b"\n... %d bytes are left out here: the log was over %d bytes ...\n" % (size - 2 * part, bytes_max)
        )
        write_all(fd, tail)
        return True
    finally:
        os.close(fd)
