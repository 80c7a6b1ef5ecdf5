"""The moments of a schedule, and whether it has any. `cronsim`, which knows cron, is imported when it is asked: a process that only
runs tasks may have none.

Cron names times of the wall. The expression is gone along without a zone, and each time gets its moments here, by the rules of
Debian's cron. What names an hour and a minute comes once: at the first pass of a time that comes twice, and right after the gap
if it is left out. What has a `*` for minutes or hours goes by the time that passes: as often as the clock shows it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wingbeat.base.errors import InputError
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec

_SINCE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_LOOKED_AT = 50
"""So many ticks are looked at for the shortest time between two."""
_DAY_S = 86400.0
"""No clock is set back by more, nor twice within it."""
_MINUTE = timedelta(minutes=1)


def ticks(when: CronSpec | RateSpec, after: float) -> Iterator[float]:
    """The moments behind `after`, in epoch seconds, each later than the one before. Raises what `check_schedule` tells."""
    if isinstance(when, RateSpec):
        number = math.floor(after / when.seconds) + 1
        while True:
            yield number * when.seconds
            number += 1
    from cronsim import CronSim

    zone = ZoneInfo(when.timezone)
    # Where the clock is set back soon, it shows again what it has shown before.
    start = min(_wall(zone, after, after), _wall(zone, after, after + _DAY_S))
    walls = CronSim(when.expression, start)
    found = _once(walls, zone) if _is_fixed(when.expression) else _as_often_as_shown(walls, zone)
    last = after
    for tick in found:
        if tick > last:
            last = tick
            yield tick


def newest(when: CronSpec | RateSpec, now: float) -> float | None:
    """The last of the moments that have come at `now`; None if none has."""
    if isinstance(when, RateSpec):
        return math.floor(now / when.seconds) * when.seconds
    from cronsim import CronSim

    zone = ZoneInfo(when.timezone)
    start = max(_wall(zone, now, now), _wall(zone, now, now - _DAY_S)) + _MINUTE
    for wall in CronSim(when.expression, start, reverse=True):
        # From here on forwards, as others may be behind it: those of a second pass.
        since = min(_moments(wall, zone)) - 1
        found = deque(takewhile(lambda tick: tick <= now, ticks(when, since)), maxlen=1) if since < now else None
        if found:
            return found[0]
    return None


def _is_fixed(expression: str) -> bool:
    minutes, hours, *_ = expression.split()
    return not minutes.startswith("*") and not hours.startswith("*")


def _wall(zone: ZoneInfo, moment: float, other: float) -> datetime:
    """What the clock shows at a moment, if it goes as at another one."""
    offset = datetime.fromtimestamp(other, zone).utcoffset()
    assert offset is not None
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None) + offset


def _moments(wall: datetime, zone: ZoneInfo) -> tuple[float, float]:
    """When the clock shows this: the first time and the second; they are the same but for what comes twice. Where it never shows
    it, the second is before the first."""
    return wall.replace(tzinfo=zone).timestamp(), wall.replace(tzinfo=zone, fold=1).timestamp()


def _once(walls: Iterable[datetime], zone: ZoneInfo) -> Iterator[float]:
    for wall in walls:
        late = wall
        while (found := _moments(late, zone))[1] < found[0]:
            late += _MINUTE
        yield found[0]


def _as_often_as_shown(walls: Iterable[datetime], zone: ZoneInfo) -> Iterator[float]:
    again: deque[float] = deque()  # the second pass begins when the first has ended
    for wall in walls:
        first, second = _moments(wall, zone)
        while again and again[0] < first:
            yield again.popleft()
        if first <= second:
            yield first
        if first < second:
            again.append(second)
    yield from again


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
