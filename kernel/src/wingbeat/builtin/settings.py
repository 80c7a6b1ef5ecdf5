"""Settings of the built-in journal."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the journal.

    Attributes:
        synchronous: ``NORMAL`` is faster and loses the last commits (up to some hundred) in a power cut; never corrupt,
            and a crash of the process alone loses nothing.

        busy_timeout_s: How long to wait for another process that holds the file.
    """

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout_s: float = 10.0
