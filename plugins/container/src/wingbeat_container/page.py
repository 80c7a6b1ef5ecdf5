"""The page of an attempt whose container has ended: masked, and where everybody looks for it."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wingbeat.attempts import AttemptFiles, PlacedSecrets

DECK = "deck.html"
PAGE_BYTES_MAX = 256 * 2**20
"""What a page has behind that is left out."""
PART_BYTES = 2**20


def bring_page(folder: str, attempt: AttemptFiles, secrets: PlacedSecrets | None) -> dict[str, str]:
    """Take the page that a program has left in its folder into the attempt's directory, with its secrets masked.

    Gives it as evidence, nothing if there is none. Of what the program left, nothing stays. Raises OSError.
    """
    left, page = f"{folder}/{DECK}", f"{attempt.path}/{DECK}"
    try:
        # Neither a link nor a pipe may lead elsewhere, or have this wait.
        fd = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return _there(page)  # also from before a crash
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return _there(page)
    with open(fd, "rb") as file:
        masked = None if secrets is None else secrets.stream()
        with open(f"{page}.new", "wb") as new:
            rest = PAGE_BYTES_MAX
            while rest and (data := file.read(min(PART_BYTES, rest))):
                rest -= len(data)
                new.write(data if masked is None else masked.feed(data))
            if masked is not None:
                new.write(masked.end())
    os.rename(f"{page}.new", page)
    with contextlib.suppress(OSError):  # whoever reads it goes on reading
        os.unlink(left)
    return {"deck": page}


def _there(page: str) -> dict[str, str]:
    return {"deck": page} if os.path.isfile(page) else {}
