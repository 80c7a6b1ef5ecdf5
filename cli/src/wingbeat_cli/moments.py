"""Moments on the command line: what stands for one, and how one is shown in the time zone of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Entity


def moment_of(text: str, zone: tzinfo | None = None) -> float:
    """Epoch seconds of a moment, or of so long ago. One that says no zone is in `zone`; by default, in that of this machine.

    Raises:
        click.UsageError: It is none.
    """
    import time

    from wingbeat.base.units import parse_duration_s

    try:
        return time.time() - parse_duration_s(text.removesuffix("ago").strip())
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time; write 2026-11-30, 2026-11-30T18:00 or 2h") from None
    if found.tzinfo is None:
        found = found.astimezone() if zone is None else found.replace(tzinfo=zone)
    return found.timestamp()


def zone_of(entity: Entity) -> tzinfo:
    """The time zone of a launch plan's schedule; of a fixed rate it is UTC."""
    from zoneinfo import ZoneInfo

    name = getattr(getattr(entity.trigger, "when", None), "timezone", "")
    return ZoneInfo(name) if name else UTC


def shown(at: float, zone: tzinfo) -> str:
    """A moment in a time zone."""
    return datetime.fromtimestamp(at, zone).isoformat()
