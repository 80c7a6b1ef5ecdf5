"""What goes over the home's socket: frames of msgpack, a length before each."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base import errors
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import Change, ExecutionView, LaunchReply, LaunchRequest, RecoveryPlan, Summary, Vouched
from wingbeat.contracts.journal import StorageFull
from wingbeat.contracts.observer import Published
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase

FRAME_BYTES_MAX = 256 * 2**20
CANCEL = "cancel"
"""Method that ends the call of the same number; it has no answer."""
_LENGTH = struct.Struct("!I")

RESULTS: dict[str, Any] = {
    "launch": LaunchReply,
    "recovery_plan": RecoveryPlan,
    "wait": ExecutionPhase,
    "describe": ExecutionView,
    "executions": list[Summary],
    "closure": Closure,
    "abort": None,
    "signal": None,
    "events": list[Published],
    "changes": list[Change],
    "explain_cache": str,
    "explain_waiting": str,
    "evict_cache": Evicted,
    "quotas_waited_for": dict[str, int],
    "change_quotas": None,
    "vouch": Vouched | None,
    "hello": None,
}
"""Methods that can be called, and what they answer with. `hello` asks only whether the holder answers."""


class Call(Struct, array_like=True, omit_defaults=True):
    """One call: its number in the connection, the method, and its arguments."""

    number: int
    method: str
    execution: str = ""
    text: str = ""
    count: int = 0
    launch: LaunchRequest | None = None
    value: Literal | None = None
    id: str = ""
    evict: Eviction | None = None
    quotas: dict[str, int | None] | None = None


class Reply(Struct, array_like=True, omit_defaults=True):
    """An answer: a value, an error by class and text, or (for events) one part of several; `last` ends it."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""
    message: str = ""
    hint: str = ""
    last: bool = True


ERRORS: dict[str, Callable[..., errors.WingbeatError]] = {
    kind.__name__: kind
    for kind in (
        errors.CompileError, errors.ConfigurationError, errors.ConflictError, errors.InputError, errors.NotFound,
        errors.SetAside, errors.JournalUnknown, errors.JournalDamaged, errors.LimitReached, errors.NoRoom,
        StorageFull,
    )
}  # fmt: skip
"""Errors that are raised again on the other side as they are; others become WingbeatError."""

T = TypeVar("T")


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame. Raises IncompleteReadError at the end, ValueError for one that is too long."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}")
    return await reader.readexactly(length)


def frame(message: Struct) -> bytes:
    """A message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


@contextmanager
def socket_path(home: Path) -> Any:
    """A path of the home's socket that is short enough for the system, however long that of the home is."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        direct = home / "kernel.sock"
        short = f"/proc/self/fd/{folder}/kernel.sock"
        yield str(direct) if len(str(direct)) < 100 or not os.path.exists("/proc/self/fd") else short
    finally:
        os.close(folder)
