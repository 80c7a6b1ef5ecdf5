"""What is kept in the home: its folder ``telemetry``."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def folder_in(home: str) -> Path:
    """The folder; made if it is not there."""
    folder = Path(home, "telemetry")
    folder.mkdir(exist_ok=True)
    return folder


def seed_of(home: str) -> str:
    """What makes the ids of this home's traces different from those of another one: made once, by whoever is first."""
    file = folder_in(home) / "seed"
    if not file.exists():
        new = file.with_name(f"seed.{os.getpid()}")
        new.write_text(secrets.token_hex(16))
        with suppress(FileExistsError):
            os.link(new, file)
        new.unlink()
    return file.read_text().strip()


class Mark:
    """Until when spans have been sent: what ended before is not sent again when it is told again after a restart.

    A crash between sending and marking sends some twice. They are the same spans, with the same ids.
    """

    def __init__(self, home: str) -> None:
        self._file = folder_in(home) / "sent"
        self.at = 0.0
        with suppress(OSError, ValueError):
            self.at = float(self._file.read_text())

    def move(self, at: float) -> None:
        """What ended until `at` has been sent."""
        if at <= self.at:
            return
        self.at = at
        with suppress(OSError):  # then it is sent twice
            new = self._file.with_suffix(".new")
            new.write_text(f"{at!r}\n")
            new.replace(self._file)
