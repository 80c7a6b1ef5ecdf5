"""When a schedule is due. Pure."""

from __future__ import annotations

import math
import zlib
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from wingbeat.spec.ticks import newest, ticks
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec

ON_TIME_S = 60.0
"""A tick that is looked at later than this was missed: whether it counts is said by the catch-up."""
TICKS_MAX = 100
"""So many are taken at a look; the others at the next one."""


def decide(schedule: ScheduleSpec, due: float, now: float) -> tuple[list[float], float | None]:
    """Of the tick `due` and those behind it, the ones that count at `now`, and the one to look at next."""
    when, oldest = schedule.when, due
    if schedule.catch_up == "none":
        oldest = max(oldest, now - ON_TIME_S)
    if schedule.window_s is not None:
        oldest = max(oldest, now - max(schedule.window_s, ON_TIME_S))
    if schedule.catch_up == "last":
        last = newest(when, now)
        return [] if last is None or last < oldest else [last], next(ticks(when, now), None)
    # `due` is a moment itself: of those behind a moment a little earlier, it is the first.
    begin = math.nextafter(oldest, -math.inf) if isinstance(when, RateSpec) else oldest - 1
    found = list(islice(ticks(when, begin), TICKS_MAX + 1))
    passed = [tick for tick in found if oldest <= tick <= now]
    if len(passed) > TICKS_MAX:
        return passed[:TICKS_MAX], passed[TICKS_MAX]
    return passed, next(ticks(when, now), None)


def jitter_s(schedule: ScheduleSpec, plan: str, tick: float) -> float:
    """How much later a tick starts: the same whoever works it out."""
    return schedule.jitter_s * zlib.crc32(f"{plan} {tick:.3f}".encode()) / 2**32


def moment(schedule: ScheduleSpec, tick: float) -> datetime:
    """A tick in the time zone of its schedule."""
    return datetime.fromtimestamp(
        tick, ZoneInfo(schedule.when.timezone) if isinstance(schedule.when, CronSpec) else UTC
    )
