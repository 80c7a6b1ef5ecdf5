"""Settings of the process executor."""

from __future__ import annotations

import os

from msgspec import Struct

from wingbeat.base.settings import Count, Seconds
from wingbeat.runtime.here import DECK_BYTES_MAX


class ProcessSettings(Struct, frozen=True, omit_defaults=True):
    """How attempts run on this machine.

    Attributes:
        slots: How many attempts run at once; 0 is one for each core, at least two. A task with ``resources.cpu`` over 1 takes
            that many, at most all. Turns of dynamic workflows have as many of their own.

        parent_idle_s: A warm parent ends after this long without an attempt and without a request.

        preload_s: Longest time that importing a module in a warm parent may take; attempts of one that takes longer import
            it themselves.

        cancel_grace_s: Time between SIGTERM and SIGKILL when an attempt is cancelled.

        log_bytes_max: The middle of an attempt's log is taken out when the log is longer.

        deck_bytes_max: What would make an attempt's page longer is left out of it.
    """

    slots: Count = 0
    parent_idle_s: Seconds = 10.0
    preload_s: Seconds = 30.0
    cancel_grace_s: Seconds = 2.0
    log_bytes_max: Count = 64 * 2**20
    deck_bytes_max: Count = DECK_BYTES_MAX

    @property
    def slot_count(self) -> int:
        """The slots, counted."""
        return self.slots or max(2, _cores())


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
