"""The moments of a schedule, and whether it has any. `cronsim`, which knows cron, is imported when it is asked: a process that only
runs tasks may have none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wingbeat.base.errors import InputError
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec

_SINCE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_LOOKED_AT = 50
"""So many ticks are looked at for the shortest time between two."""


def ticks(when: CronSpec | RateSpec, after: float) -> Iterator[float]:
    """The moments behind `after`, in epoch seconds. Raises what `check_schedule` tells."""
    if isinstance(when, RateSpec):
        number = math.floor(after / when.seconds) + 1
        while True:
            yield number * when.seconds
            number += 1
    from cronsim import CronSim

    # A moment within the minute counts as that minute: what follows is behind it.
    for moment in CronSim(when.expression, datetime.fromtimestamp(after, ZoneInfo(when.timezone))):
        yield moment.timestamp()


def check_schedule(schedule: ScheduleSpec) -> None:
    """Raises InputError for a cron expression that is none, a time zone that is not known, one that never comes, and a jitter that
    is longer than the time to the next tick: they would start in another order."""
    from cronsim import CronSimError

    shown = _shown(schedule.when)
    try:
        first = list(islice(ticks(schedule.when, _SINCE), _LOOKED_AT if schedule.jitter_s else 1))
    except CronSimError as error:
        raise InputError(f"{shown} is no cron expression: {str(error).rstrip('.')}.") from error
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(f"{shown}: {error}.") from error
    if not first:
        raise InputError(f"{shown} never comes.")
    shortest = min((later - earlier for earlier, later in pairwise(first)), default=math.inf)
    if schedule.jitter_s > shortest:
        raise InputError(
            f"A jitter of {schedule.jitter_s:g} s is longer than the {shortest:g} s between two ticks of {shown}.",
            hint="It starts up to so much later, and before the next one.",
        )


def _shown(when: CronSpec | RateSpec) -> str:
    if isinstance(when, RateSpec):
        return f"every {when.seconds:g} s"
    return f"{when.expression!r} in {when.timezone}"
