"""What stays in the directory of an attempt that has ended."""

from __future__ import annotations

import contextlib
import os
import shutil

import msgspec

from wingbeat.attempts import AttemptFiles
from wingbeat.contracts.executor import Outcome

OUTCOME = "outcome"
"""File of an attempt's directory: what was reported of its end."""

_outcome = msgspec.json.Decoder(Outcome)


def kept(files: AttemptFiles) -> Outcome | None:
    """The outcome that was reported, None if there is none that can be read."""
    try:
        data = files.read(OUTCOME)
        return None if data is None else _outcome.decode(data)
    except ValueError:  # cut off by a power failure
        return None


def clear(folder: str, *, report: bool) -> None:
    """Of what it has left, its last `report` is kept; its page is elsewhere, and the rest in storage, or in the outcome."""
    for entry in os.scandir(folder):
        if report and entry.name == "report":
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
