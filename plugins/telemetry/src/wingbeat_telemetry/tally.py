"""What became of spans, counted where they are sent and told as metrics, from another thread."""

from __future__ import annotations


class Tally:
    """Counts that only grow; each is written by one thread.

    Attributes:
        made: Spans that were made.

        sent: Those that the collector took.

        failed: Those that it did not take.

        dropped: Those for which there was no room.

        missed: Events that the observer of traces was not told.

        open: Spans may still be sent.
    """

    def __init__(self) -> None:
        self.open = False
        self.made = self.sent = self.failed = self.dropped = self.missed = 0

    @property
    def waiting(self) -> int:
        """Spans that are still to be sent."""
        return self.made - self.sent - self.failed - self.dropped
