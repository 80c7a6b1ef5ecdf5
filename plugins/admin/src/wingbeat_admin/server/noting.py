"""What the server notes in the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable

from wingbeat.contracts.access import AuditEntry, Outcome
from wingbeat_admin.local.access import LocalAccess

DENIED_MAX = 120
"""So many denials a minute are noted one by one, of the others the number: whoever is not let in must not fill the disk."""
_MINUTE_S = 60.0


class Notes:
    """Adds to the audit log of an admin."""

    def __init__(self, access: LocalAccess, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._clock = access, clock
        self._since, self._denied = clock(), 0

    async def note(self, entry: AuditEntry) -> None:
        """Add an entry."""
        if entry.outcome is Outcome.DENIED and not await self._room():
            return
        await self._access.note(entry)

    async def _room(self) -> bool:
        now = self._clock()
        if now - self._since >= _MINUTE_S:
            left_out, self._since, self._denied = self._denied - DENIED_MAX, now, 0
            if left_out > 0:
                await self._access.note(
                    AuditEntry(0.0, "", "denied", f"{left_out} more within a minute", Outcome.DENIED)
                )
        self._denied += 1
        return self._denied <= DENIED_MAX
