"""When a schedule is due: which of its moments that have passed still count. Pure."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, dropwhile, islice, takewhile
from zoneinfo import ZoneInfo

from msgspec import Struct

from wingbeat.spec.identity import Name
from wingbeat.spec.ticks import newest, ticks
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec

MISSED_S = 60.0
"""A tick that is older when it is looked at was missed: whether it counts is said by the catch-up."""
TICKS_MAX = 100
"""So many ticks are taken at once; the others are still there at the next look."""

_BEFORE_S = 0.001
"""Ticks are further apart."""


class Missed(Struct, frozen=True):
    """Ticks that passed while nothing looked at them and that do not count: the first one, the last one and how many; of a cron
    expression `TICKS_MAX` and one more stand for any number of them."""

    first: float
    last: float
    count: int


class Decision(Struct, frozen=True):
    """Ticks to launch, in their order, and the one that is next looked at; None if there is none ever again. And what was missed
    and does not count, unless all of it came within the last `MISSED_S`: to be so late with a schedule of seconds is no outage."""

    ticks: list[float]
    next: float | None
    missed: Missed | None = None


def within(when: CronSpec | RateSpec, since: float, until: float) -> Iterator[float]:
    """The moments from `since` on, before `until`."""
    return takewhile(lambda tick: tick < until, _from(when, since))


def _from(when: CronSpec | RateSpec, moment: float) -> Iterator[float]:
    """The moments from `moment` on, which may be one itself."""
    if isinstance(when, CronSpec):
        return dropwhile(lambda tick: tick < moment, ticks(when, moment - 1))
    number = math.floor(moment / when.seconds)  # or near it: fractions of seconds are rounded
    return dropwhile(lambda tick: tick < moment, (each * when.seconds for each in count(number - 1)))


def decided(schedule: ScheduleSpec, due: float, now: float) -> Decision:
    """What to do about the tick `due` and those behind it, at `now`.

    Args:
        due: A tick; the first one that has not been looked at.
    """
    begin = due
    if schedule.catch_up == "none":
        begin = max(begin, now - MISSED_S)
    if schedule.window_s is not None:  # what is late by less is not missed, so a window has no say in it
        begin = max(begin, now - max(schedule.window_s, MISSED_S))
    if schedule.catch_up == "last":
        return _last(schedule, due, begin, now)
    missed = _missed(schedule.when, due, begin, now)
    found = list(islice(_from(schedule.when, begin), TICKS_MAX + 1))
    passed = [tick for tick in found if begin <= tick <= now]
    behind = [tick for tick in found if tick > now]
    if len(passed) > TICKS_MAX:
        return Decision(passed[:TICKS_MAX], passed[TICKS_MAX], missed)
    return Decision(passed, behind[0] if behind else next(ticks(schedule.when, now), None), missed)


def _last(schedule: ScheduleSpec, due: float, begin: float, now: float) -> Decision:
    """The newest of those that have passed."""
    following = next(ticks(schedule.when, now), None)
    last = newest(schedule.when, now)
    taken = [last] if last is not None and last >= begin else []
    return Decision(taken, following, _missed(schedule.when, due, taken[0] if taken else now, now))


def _missed(when: CronSpec | RateSpec, due: float, until: float, now: float) -> Missed | None:
    """Those from `due` on, which is one, before `until`. They are not gone along where there may be very many."""
    if due >= min(until, now - MISSED_S):
        return None
    last = max(due, newest(when, until - _BEFORE_S) or due)
    if isinstance(when, RateSpec):
        return Missed(due, last, round((last - due) / when.seconds) + 1)
    some = islice(takewhile(lambda tick: tick <= last, _from(when, due)), TICKS_MAX + 1)
    return Missed(due, last, sum(1 for _ in some))


def jitter_s(schedule: ScheduleSpec, plan: Name, tick: float) -> float:
    """How much later than its tick it starts: the same whoever works it out."""
    share = zlib.crc32(f"{plan} {tick:.3f}".encode()) / 2**32
    return schedule.jitter_s * share


def moment(schedule: ScheduleSpec, tick: float) -> datetime:
    """A tick as a datetime of its time zone."""
    zone = ZoneInfo(schedule.when.timezone) if isinstance(schedule.when, CronSpec) else UTC
    return datetime.fromtimestamp(tick, zone)
