"""The log of an attempt that has secrets goes through a process of its own, which masks them.

It is forked from the warm parent before the attempt, outside of the attempt's session and limits: the attempt can be killed at any
moment, and what it has printed by then still comes into its log, masked. It reads a pipe that is the standard output and error of
the attempt, so it gets what native code and other programs print, too. It is told the values by the attempt, over another pipe;
before that, it writes nothing. It ends when nobody can write any more.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

import msgspec
from msgspec import Struct

from wingbeat.runtime.files import write_all
from wingbeat.runtime.limits import no_core
from wingbeat.runtime.mask import Mask, Stream

_READ_BYTES = 1 << 16
_EARLY_BYTES_MAX = 1 << 20
"""What is printed before the values are known is kept up to here."""
_END_S = 5.0
_values = msgspec.json.Decoder(list[str]).decode


class Filter(Struct, frozen=True):
    """A filter, for who has started it.

    Attributes:
        pid: Its process.

        output: What is written here goes to the log.

        control: Who writes the values here; see `tell`.
    """

    pid: int
    output: int
    control: int

    def let_go(self) -> None:
        """Close both, in a process that does not write."""
        os.close(self.output)
        os.close(self.control)

    def wait(self) -> None:
        """Wait until it has written everything: nothing of its attempt runs any more. It is killed if it does not end."""
        end = time.monotonic() + _END_S
        while time.monotonic() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.0005)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def start(log: int, unwanted: Sequence[int]) -> Filter:
    """Fork a filter that writes to `log`, and does not keep the descriptors `unwanted`. Raises OSError."""
    output_in, output = os.pipe()
    try:
        control_in, control = os.pipe()
    except OSError:
        _close(output_in, output)
        raise
    try:
        pid = os.fork()
    except OSError:
        _close(output_in, output, control_in, control)
        raise
    if pid == 0:
        _serve(output_in, control_in, log, [*unwanted, output, control])
    _close(output_in, control_in)
    return Filter(pid, output, control)


def tell(control: int, values: Iterable[str]) -> None:
    """Tell a filter what to mask, once; from then on it writes."""
    try:
        write_all(control, msgspec.json.encode(list(values)))
    finally:
        os.close(control)


def _serve(output: int, control: int, log: int, unwanted: list[int]) -> NoReturn:
    """Be the filter."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close(*unwanted)
        no_core()
        _filter(output, control, log)
    except BaseException:  # noqa: BLE001 - two processes must not both go on as the parent
        traceback.print_exc(file=sys.stderr)
    os._exit(0)


def _filter(output: int, control: int, log: int) -> None:
    told, early = _until_told(output, control)
    try:
        stream = Stream(Mask(_values(told)))
    except msgspec.DecodeError:  # the attempt was killed before, or halfway: what there is may hold what is not known
        return
    _write(log, stream.feed(early))
    while piece := os.read(output, _READ_BYTES):
        _write(log, stream.feed(piece))
    _write(log, stream.end())


def _until_told(output: int, control: int) -> tuple[bytes, bytes]:
    """What was told, and what was printed meanwhile."""
    told, early, reading = bytearray(), bytearray(), [output, control]
    while control in reading:
        ready, _, _ = select.select(reading, [], [])
        for fd in ready:
            piece = os.read(fd, _READ_BYTES)
            if not piece:
                reading.remove(fd)
            elif fd == control:
                told += piece
            elif len(early) < _EARLY_BYTES_MAX:
                early += piece
    return bytes(told), bytes(early)


def _write(log: int, data: bytes) -> None:
    """A full disk loses output; it must not stop the attempt, which waits for whoever reads what it prints."""
    with suppress(OSError):
        write_all(log, data)


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        os.close(fd)
