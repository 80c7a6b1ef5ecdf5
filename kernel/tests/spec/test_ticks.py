"""When schedules are due, where clocks change: compared with each minute of days around it."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wingbeat.spec.ticks import newest, ticks
from wingbeat.spec.triggers import CronSpec

ANY = range(60)
EXPRESSIONS = {
    "30 1 * * *": ({30}, {1}),
    "30 2 * * *": ({30}, {2}),
    "0 0 * * *": ({0}, {0}),
    "15 0,23 * * *": ({15}, {0, 23}),
    "45 1,2 * * *": ({45}, {1, 2}),
    "0,30 0-3 * * *": ({0, 30}, {0, 1, 2, 3}),
    "0 * * * *": ({0}, ANY),
    "*/30 * * * *": ({0, 30}, ANY),
    "*/15 1-3 * * *": ({0, 15, 30, 45}, {1, 2, 3}),
    "*/20 23 * * *": ({0, 20, 40}, {23}),
    "7 */2 * * *": ({7}, range(0, 24, 2)),
}
CHANGES = {
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "America/Los_Angeles": ["2026-03-08", "2026-11-01"],
    "Europe/London": ["2026-03-29", "2026-10-25"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "America/Havana": ["2026-03-08", "2026-11-01"],
    "America/Santiago": ["2026-04-04", "2026-09-06"],
    "Antarctica/Troll": ["2026-03-29", "2026-10-25"],
    "America/St_Johns": ["2010-11-07", "2011-03-13"],  # from 00:01 to 23:01 of the day before
    "Pacific/Apia": ["2011-12-30"],  # a day that never was
    "Asia/Kathmandu": ["2026-05-05"],
}
MINUTE, DAY_S = timedelta(minutes=1), 86400
HAS = [(zone, day) for zone, days in CHANGES.items() for day in days]


def begin_of(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() - 2 * DAY_S


@cache
def shown(zone, day):
    """What the clock shows, with the moments."""
    found = {}
    for number in range(4 * DAY_S // 60):
        moment = begin_of(day) + number * 60
        found.setdefault(datetime.fromtimestamp(moment, ZoneInfo(zone)).replace(tzinfo=None), []).append(moment)
    return found


@cache
def expected(expression, zone, day):
    minutes, hours = EXPRESSIONS[expression]
    clock, found = shown(zone, day), set()
    wall, last = min(clock), max(clock)
    while wall <= last:
        if wall.minute in minutes and wall.hour in hours:
            if any(field.startswith("*") for field in expression.split()[:2]):
                found |= set(clock.get(wall, []))
            else:
                behind = wall
                while behind not in clock:
                    behind += MINUTE
                found.add(clock[behind][0])
        wall += MINUTE
    return sorted(found)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(HAS), st.sampled_from(sorted(EXPRESSIONS)), st.integers(DAY_S, 3 * DAY_S))
def test_from_whatever_moment_ticks_are_those_of_the_clock(changed, expression, late):
    zone, day = changed
    when, at = CronSpec(expression, zone), begin_of(day) + late
    wanted = expected(expression, zone, day)
    until = begin_of(day) + 4 * DAY_S - 3600
    found = list(takewhile(lambda tick: tick < until, ticks(when, at)))
    assert found == [tick for tick in wanted if at < tick < until]
    assert newest(when, at) == max(tick for tick in wanted if tick <= at)


def test_a_moment_in_the_second_pass_is_behind_the_only_tick_of_the_first():
    night = CronSpec("30 1 * * *", "America/New_York")
    assert list(islice(ticks(night, 1793513400.0), 2)) == [1793601000.0, 1793687400.0]
    assert newest(night, 1793513400.0) == 1793511000.0


def test_a_shift_of_half_an_hour_loses_no_tick():
    when, zone = CronSpec("7 */2 * * *", "Australia/Lord_Howe"), ZoneInfo("Australia/Lord_Howe")
    at = datetime.fromisoformat("2026-04-05T00:07:00+11:00").timestamp()
    found = [datetime.fromtimestamp(tick, zone).isoformat() for tick in islice(ticks(when, at), 2)]
    assert found == ["2026-04-05T02:07:00+10:30", "2026-04-05T04:07:00+10:30"]


@pytest.mark.parametrize("expression", sorted(EXPRESSIONS))
def test_ticks_of_years_come_one_after_the_other(expression):
    found = list(islice(ticks(CronSpec(expression, "Europe/Berlin"), 1_262_300_000.0), 3000))
    assert found == sorted(set(found))
