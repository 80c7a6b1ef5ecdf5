"""What a container prints, into the attempt's log."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from wingbeat.attempts import trim_log
from wingbeat_container.model import Refused, Unreachable

if TYPE_CHECKING:
    from wingbeat.attempts import AttemptFiles, PlacedSecrets
    from wingbeat_container.client import Engine

AGAIN_S = 0.5
WHOLE = "whole"
"""Folder for the log while it is read once more."""


async def follow(
    engine: Engine, container: str, attempt: AttemptFiles, bytes_max: int, secrets: PlacedSecrets | None = None
) -> None:
    """Write what it has printed and prints, until it ends or is gone. The engine keeps all of it, so each try begins anew."""
    while True:
        try:
            with _Log(attempt.path, bytes_max, secrets) as log:
                await engine.logs(container, log.write, follow=True)
            return
        except Refused:
            return
        except Unreachable:
            await asyncio.sleep(AGAIN_S)


async def complete(
    engine: Engine, container: str, attempt: AttemptFiles, bytes_max: int, secrets: PlacedSecrets | None = None
) -> None:
    """Have the whole log of a container that has ended: an engine may leave out lines while it follows (Podman 4 does)."""
    folder = f"{attempt.path}/{WHOLE}"
    with contextlib.suppress(Refused, Unreachable, OSError):
        os.makedirs(folder, exist_ok=True)
        with _Log(folder, bytes_max, secrets) as log:
            await engine.logs(container, log.write, follow=False)
        new = f"{folder}/{os.path.basename(attempt.log)}"
        if os.path.exists(attempt.log) and os.path.getsize(new) == os.path.getsize(attempt.log):
            os.unlink(new)  # whoever reads it goes on reading
        else:
            os.rename(new, attempt.log)
        os.rmdir(folder)


class _Log:
    """A log that is kept to a size, and in which secrets are masked."""

    def __init__(self, folder: str, bytes_max: int, secrets: PlacedSecrets | None) -> None:
        self._folder, self._bytes_max = folder, bytes_max
        self._masked = None if secrets is None else secrets.stream()
        self._fd = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._unseen = 0

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._masked is not None:
            self._append(self._masked.end())
        with contextlib.suppress(OSError):
            trim_log(self._folder, self._bytes_max)
        os.close(self._fd)

    def write(self, data: bytes) -> None:
        """Add what was printed."""
        self._append(data if self._masked is None else self._masked.feed(data))

    def _append(self, data: bytes) -> None:
        """A full disk takes the log, not the task."""
        with contextlib.suppress(OSError):
            os.write(self._fd, data)
            self._unseen += len(data)
            if self._unseen > self._bytes_max // 4:
                self._unseen = 0
                trim_log(self._folder, self._bytes_max)
