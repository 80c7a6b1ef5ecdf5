"""When a schedule is due. Pure."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from wingbeat.base.errors import InputError
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec

ON_TIME_S = 60.0
"""A tick that is looked at later than this was missed: whether it counts is said by the catch-up."""
TICKS_MAX = 100
"""So many are taken at a look; the others at the next one."""


def check(schedule: ScheduleSpec) -> None:
    """Raises `InputError` for an expression that is none, a time zone that is not known, and what never comes."""
    when = schedule.when
    shown = f"every {when.seconds:g} s" if isinstance(when, RateSpec) else f"{when.expression!r} in {when.timezone}"
    try:
        first = next(ticks(when, datetime(2026, 1, 1, tzinfo=UTC).timestamp()), None)
    except (CronSimError, ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(f"The schedule {shown} is none: {error}.") from error
    if first is None:
        raise InputError(f"The schedule {shown} never comes.")


def ticks(when: CronSpec | RateSpec, after: float) -> Iterator[float]:
    """The moments behind `after`, in epoch seconds."""
    if isinstance(when, RateSpec):
        number = math.floor(after / when.seconds)
        while True:
            number += 1
            yield number * when.seconds
    for at in CronSim(when.expression, datetime.fromtimestamp(after, ZoneInfo(when.timezone))):
        yield at.timestamp()


def decide(schedule: ScheduleSpec, due: float, now: float) -> tuple[list[float], float | None]:
    """Of the tick `due` and those behind it, the ones that count at `now`, and the one to look at next."""
    when, oldest = schedule.when, due
    if schedule.catch_up == "none":
        oldest = max(oldest, now - ON_TIME_S)
    if schedule.window_s is not None:
        oldest = max(oldest, now - max(schedule.window_s, ON_TIME_S))
    # `due` is a moment itself: of those behind a moment a little earlier, it is the first.
    begin = math.nextafter(oldest, -math.inf) if isinstance(when, RateSpec) else oldest - 1
    if schedule.catch_up == "last":
        begin = max(begin, _before_last(when, now))
    found = list(islice(ticks(when, begin), TICKS_MAX + 1))
    passed = [tick for tick in found if oldest <= tick <= now]
    if len(passed) > TICKS_MAX:
        return passed[:TICKS_MAX], passed[TICKS_MAX]
    return passed, next(ticks(when, now), None)


def _before_last(when: CronSpec | RateSpec, now: float) -> float:
    """A moment behind which there is one tick until `now`, the last one; the earliest there is, if there is none."""
    if isinstance(when, RateSpec):
        return math.nextafter(math.floor(now / when.seconds) * when.seconds, -math.inf)
    ahead = datetime.fromtimestamp(now + 60, ZoneInfo(when.timezone))
    passed = (at.timestamp() for at in CronSim(when.expression, ahead, reverse=True))
    return next((tick - 1 for tick in passed if tick <= now), -math.inf)


def jitter_s(schedule: ScheduleSpec, plan: str, tick: float) -> float:
    """How much later a tick starts: the same whoever works it out."""
    return schedule.jitter_s * zlib.crc32(f"{plan} {tick:.3f}".encode()) / 2**32


def moment(schedule: ScheduleSpec, tick: float) -> datetime:
    """A tick in the time zone of its schedule."""
    return datetime.fromtimestamp(
        tick, ZoneInfo(schedule.when.timezone) if isinstance(schedule.when, CronSpec) else UTC
    )
