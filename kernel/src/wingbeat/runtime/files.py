"""The files of an attempt's directory, and how they are written: whole or not at all.

``claim`` and ``log`` come from the warm parent or the attempt's process, ``outputs``, ``error`` or (of the body of a dynamic
workflow) ``suspended`` from that process.
``exit`` says how it ended, where that was no success or nobody was there to be told. ``request`` and ``inputs`` are there
for a process that is not forked, where inputs are long, and where an attempt failed, for who looks into it. ``work/`` is the
working directory of the user's code, ``scratch/`` where values are put together before they are stored, ``checkpoint/`` what
an attempt leaves to its successor. ``report`` and ``deck.html`` are there if user code has reported how far it is or made a
page.

Of an attempt of several processes (`wingbeat.runtime.gang`), ``gang`` says what became of each, and each has a folder
``members/ROLE-INDEX`` with its outcome, ``work/`` and ``scratch/``, and (all but the first, which stands for the attempt)
``log`` and whatever its code makes. ``calling`` is there while a plugin is called, and says which, for a process that ends in
there.
"""

# few system calls for each attempt; descriptors, not paths, are what is handled here

from __future__ import annotations

import errno
import itertools
import os
import time

from wingbeat.contracts.failpoints import hit

REQUEST = "request"
INPUTS = "inputs"
OUTPUTS = "outputs"
ERROR = "error"
SUSPENDED = "suspended"
LOG = "log"
CLAIM = "claim"
EXIT = "exit"
WORK = "work"
SCRATCH = "scratch"
CHECKPOINT = "checkpoint"
REPORT = "report"
DECK = "deck.html"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
ROOM_S_MAX = 600.0
"""An attempt that has ended waits so long for room for its outcome."""
ROOM_AGAIN_S = 0.5
CALLING = "calling"
GANG = "gang"
MEMBERS = "members"

OUTCOME_BYTES_MAX = 64 * 2**20
"""An ``outputs`` or ``error`` that is larger is not read: inline values are small, and there are not that many."""


INPUTS_SENT_MAX = 2**20
"""Inputs that are longer are not in the message to the warm parent but in the file."""
INPUTS_BYTES_MAX = 2**31
"""An ``inputs`` that is larger is not read. Each value in it is small, but there may be many."""


_written = itertools.count()
"""Of names of files that are being written, maybe by several threads."""


def write_atomic(directory: str, name: str, data: bytes) -> None:
    """Publish `data` as the file `name` by a rename; a reader sees all of it or no file.

    It is not forced to disk: what a power cut takes away counts as an attempt that was lost, and runs again.
    """
    temporary = f"{directory}/.{name}.{os.getpid()}-{next(_written)}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(fd, data)
    except OSError:
        os.unlink(temporary)  # of which a full disk has room for a part only
        raise
    finally:
        os.close(fd)
    hit("files.written")
    os.rename(temporary, f"{directory}/{name}")


def write_when_there_is_room(directory: str, name: str, data: bytes) -> None:
    """Publish the outcome of an attempt, which would be lost: where the disk is full, wait until somebody has made room.

    Raises:
        OSError: It cannot be written for another reason, or nobody has made room.
    """
    end = time.monotonic() + ROOM_S_MAX
    while True:
        try:
            return write_atomic(directory, name, data)
        except OSError as error:
            if error.errno not in FULL or time.monotonic() > end:
                raise
            time.sleep(ROOM_AGAIN_S)


def open_log(directory: str) -> int:
    """The file that takes what an attempt prints, made if it is not there."""
    return os.open(f"{directory}/{LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; a short write (full disk, signal) is gone on with or raised."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_file(directory: str, name: str, bytes_max: int = OUTCOME_BYTES_MAX) -> bytes | None:
    """The content of a file, None if there is none. Raises ValueError if it is larger than `bytes_max`."""
    try:
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        if size > bytes_max:
            raise ValueError(f"{directory}/{name} has {size} bytes; at most {bytes_max} are read")
        return read_all(fd, bytes_max)
    finally:
        os.close(fd)


def read_all(fd: int, bytes_max: int) -> bytes:
    """What is there from where the descriptor stands, at most `bytes_max`."""
    data = bytearray()
    while len(data) < bytes_max and (chunk := os.read(fd, min(1 << 20, bytes_max - len(data)))):
        data += chunk
    return bytes(data)
