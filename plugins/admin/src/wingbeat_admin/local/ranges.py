"""The ticks of a range, of which a backfill is made. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from wingbeat.base.errors import InputError
from wingbeat.contracts.backfill import CONCURRENCY_MAX, TICKS_MAX, Backfill
from wingbeat.spec.identity import Name
from wingbeat.spec.triggers import ScheduleSpec
from wingbeat_admin.local.due import tick_cause
from wingbeat_admin.local.firing import execution_id
from wingbeat_admin.local.ticks import moment, within


def check_range(backfill: Backfill, now: float) -> None:
    """Raises InputError for a range that is none, or is not over, and for a concurrency that cannot be."""
    if backfill.since < 0:
        raise InputError(
            f"The range begins at {_shown(backfill.since)}: a backfill goes back to 1970.", hint="Is the year right?"
        )
    if not backfill.since < backfill.until:
        raise InputError(f"From {_shown(backfill.since)} until {_shown(backfill.until)} is no range of time.")
    if backfill.until > now:
        raise InputError(
            f"The range ends at {_shown(backfill.until)}, which has not come yet.",
            hint="What is to come is run by the schedule: activate the launch plan.",
        )
    if not 1 <= backfill.concurrency <= CONCURRENCY_MAX:
        raise InputError(
            f"From 1 to {CONCURRENCY_MAX} executions can be under way at once, not {backfill.concurrency}."
        )


def ticks_in(schedule: ScheduleSpec, backfill: Backfill, name: str) -> list[float]:
    """The ticks of a backfill, in their order. Raises InputError if there are none, or too many."""
    found = list(islice(within(schedule.when, backfill.since, backfill.until), TICKS_MAX + 1))
    if not found:
        raise InputError(
            f"{name} has no tick from {_shown(backfill.since)} until {_shown(backfill.until)}.",
            hint=f"'wingbeat schedule preview {name}' shows those that come.",
        )
    if len(found) > TICKS_MAX:
        raise InputError(
            f"{name} has more than {TICKS_MAX:,} ticks in this range.",
            hint=f"Take it in parts: the first {TICKS_MAX:,} are those before {moment(schedule, found[-1]).isoformat()}.",
        )
    return found


def ids_of(plan: Name, ticks: Iterable[float]) -> list[str]:
    """The ids of the executions of ticks, as their schedule gives them."""
    return [execution_id(plan, tick_cause(tick)) for tick in ticks]


def _shown(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat()
    except (OverflowError, OSError, ValueError):  # so far away that no calendar has it
        return f"{at:g}"
