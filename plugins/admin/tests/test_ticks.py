"""Which ticks count."""

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wingbeat.base.errors import InputError
from wingbeat.spec.identity import Name
from wingbeat.spec.ticks import check_schedule, ticks
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec
from wingbeat_admin.local.ticks import MISSED_S, TICKS_MAX, decided, jitter_s, moment, within

TEN = ScheduleSpec(CronSpec("*/10 * * * *"))
PLAN = Name("eta", "production", "plan")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(found):
    return [datetime.fromtimestamp(tick, UTC).strftime("%d %H:%M") for tick in found]


def test_moments_of_a_cron_expression():
    assert shown(islice(ticks(TEN.when, at("2026-11-26T10:05")), 3)) == ["26 10:10", "26 10:20", "26 10:30"]
    assert shown(islice(ticks(TEN.when, at("2026-11-26T10:10")), 1)) == ["26 10:20"], "behind the moment, not at it"


def test_clocks_that_change():
    """What falls into the missing hour runs right after it, what falls into the one that comes twice runs once."""
    night = CronSpec("30 2 * * *", "Europe/Berlin")
    assert shown(islice(ticks(night, at("2026-03-28T12:00")), 2)) == ["29 01:00", "30 00:30"]
    assert shown(islice(ticks(night, at("2026-10-24T12:00")), 2)) == ["25 00:30", "26 01:30"]
    assert moment(ScheduleSpec(night), at("2026-03-30T00:30")).isoformat() == "2026-03-30T02:30:00+02:00"


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
def test_in_the_second_pass_a_tick_of_the_first_is_over(catch_up):
    schedule = ScheduleSpec(CronSpec("30 1 * * *", "America/New_York"), catch_up=catch_up)
    due, second = at("2026-11-01T05:30"), at("2026-11-01T06:05")
    found = decided(schedule, due, second)
    assert shown(found.ticks) == ([] if catch_up == "none" else ["01 05:30"])
    assert shown([found.next]) == ["02 06:30"]
    assert list(within(schedule.when, due, found.next)) == [due], "and a backfill has the same ones"


@pytest.mark.parametrize(
    ("catch_up", "window_s", "expected"),
    [
        ("none", None, ["26 10:00"]), ("last", None, ["26 10:00"]), ("all", None, ["26 09:30", "26 09:40", "26 09:50", "26 10:00"]),
        ("all", 1300.0, ["26 09:40", "26 09:50", "26 10:00"]), ("last", 1300.0, ["26 10:00"]),
    ],
)  # fmt: skip
def test_what_was_missed_counts_as_the_catch_up_says(catch_up, window_s, expected):
    for when in (TEN.when, RateSpec(600.0)):
        schedule = replace(TEN, when=when, catch_up=catch_up, window_s=window_s)
        found = decided(schedule, at("2026-11-26T09:30"), at("2026-11-26T10:00") + 30)
        assert shown(found.ticks) == expected
        assert shown([found.next]) == ["26 10:10"]


@pytest.mark.parametrize(
    ("catch_up", "window_s", "missed"),
    [
        ("none", None, ["09:30", "09:50", 3]), ("last", None, ["09:30", "09:50", 3]), ("all", None, None),
        ("all", 1300.0, ["09:30", "09:30", 1]), ("last", 10.0, ["09:30", "09:50", 3]),
    ],
)  # fmt: skip
def test_what_does_not_count_is_told(catch_up, window_s, missed):
    for when in (TEN.when, RateSpec(600.0)):
        schedule = replace(TEN, when=when, catch_up=catch_up, window_s=window_s)
        found = decided(schedule, at("2026-11-26T09:30"), at("2026-11-26T10:00") + 30).missed
        told = None if found is None else [*(each[3:] for each in shown([found.first, found.last])), found.count]
        assert told == missed
    late = decided(replace(schedule, catch_up="none"), at("2026-11-26T10:00"), at("2026-11-26T10:09")).missed
    assert (late.first, late.last, late.count) == (at("2026-11-26T10:00"), at("2026-11-26T10:00"), 1)


def test_to_be_late_by_seconds_is_to_miss_nothing():
    assert decided(ScheduleSpec(RateSpec(1.0)), 1_000.0, 1_000.0 + MISSED_S).missed is None


@pytest.mark.parametrize(("when", "count"), [(RateSpec(1.0), 315_360_000), (CronSpec("* * * * *"), TICKS_MAX + 1)])
def test_very_many_that_do_not_count_are_not_gone_along(when, count):
    begin, years = at("2026-11-26T10:00"), 10 * 365 * 86400.0
    found = decided(ScheduleSpec(when), begin, begin + years)
    assert (found.missed.first, found.missed.count) == (begin, count)
    assert found.missed.last < found.ticks[0] == begin + years


def test_nothing_of_long_ago_counts_without_catch_up():
    found = decided(replace(TEN, catch_up="none"), at("2026-11-26T09:30"), at("2026-11-26T10:05"))
    assert (found.ticks, shown([found.next])) == ([], ["26 10:10"])


def test_a_window_leaves_out_the_last_one_too():
    found = decided(
        replace(TEN, when=CronSpec("0 3 * * *"), window_s=3600.0), at("2026-11-26T03:00"), at("2026-11-26T10:00")
    )
    assert (found.ticks, shown([found.next])) == ([], ["27 03:00"])


@pytest.mark.parametrize("catch_up", ["last", "all"])
def test_a_window_of_less_than_a_minute_is_one_of_a_minute(catch_up):
    """Who looks may be late by that: such a tick was not missed."""
    schedule = replace(TEN, catch_up=catch_up, window_s=5.0)
    tick = at("2026-11-26T10:00")
    assert decided(schedule, tick, tick + MISSED_S - 1).ticks == [tick]
    assert decided(schedule, tick, tick + MISSED_S + 1).ticks == []


def test_very_many_are_taken_bit_by_bit():
    schedule, due, now = ScheduleSpec(RateSpec(1.0), catch_up="all"), 1_000.0, 1_000.0 + 3.5 * TICKS_MAX
    found = []
    while due <= now:
        decision = decided(schedule, due, now)
        assert len(decision.ticks) <= TICKS_MAX
        found += decision.ticks
        due = decision.next
    assert found == [1_000.0 + n for n in range(int(3.5 * TICKS_MAX) + 1)]


def test_a_tick_of_a_fraction_of_a_second_that_is_due_is_taken():
    rate = ScheduleSpec(RateSpec(0.1), catch_up="all")
    for number in range(17_640_000_000, 17_640_000_020):
        assert decided(rate, number * 0.1, number * 0.1).ticks == [number * 0.1]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["*/7 * * * *", "0 3 * * MON", "30 2 * * *", "0 0 29 2 *", "*/10 9-17 * * 1-5"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe"]),
    st.sampled_from(["none", "last", "all"]),
    st.integers(1_600_000_000, 1_900_000_000),
    st.lists(st.floats(0.5, 400_000), min_size=1, max_size=8),
)
def test_however_often_it_is_looked_at_no_tick_counts_twice(expression, zone, catch_up, begin, pauses):
    """And with all of them, none is left out."""
    schedule = ScheduleSpec(CronSpec(expression, zone), catch_up=catch_up)
    due, now, taken = next(ticks(schedule.when, begin)), float(begin), []
    first = due
    for pause in pauses:
        now += pause
        while due is not None and due <= now:
            decision = decided(schedule, due, now)
            assert decision.next is None or decision.next > due
            taken += decision.ticks
            due = decision.next
    assert taken == sorted(set(taken))
    assert all(first <= tick <= now for tick in taken)
    if catch_up == "all":
        expected = []
        for tick in ticks(schedule.when, begin):
            if tick > now:
                break
            expected.append(tick)
        assert taken == expected
    if catch_up == "none":
        assert len(taken) <= len(pauses) * (MISSED_S // 60 + 1)


@given(st.floats(0, 2e9), st.floats(0.1, 86400))
def test_jitter_is_the_same_whoever_works_it_out(tick, most):
    schedule = replace(TEN, jitter_s=most)
    late = jitter_s(schedule, PLAN, tick)
    assert 0 <= late < most
    assert late == jitter_s(schedule, PLAN, tick)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (CronSpec("61 * * * *"), "Bad minute"),
        (CronSpec("0 0 30 2 *"), "Bad|never"),
        (CronSpec("0 0 * * *", "Mars/Olympus"), "Mars"),
    ],
)
def test_what_is_no_schedule_is_told(when, why):
    with pytest.raises(InputError, match=why):
        check_schedule(ScheduleSpec(when))
