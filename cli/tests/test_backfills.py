"""Backfills on the command line: moments, how far one is, and an admin that runs none."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.backfill import BackfillEntry, BackfillPhase
from wingbeat_cli.backfills import filling, line
from wingbeat_cli.moments import moment_of, shown

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-01", BERLIN, "2026-02-28T23:00:00+00:00"),
        ("2026-07-01T12:00", BERLIN, "2026-07-01T10:00:00+00:00"),
        ("2026-07-01T12:00Z", BERLIN, "2026-07-01T12:00:00+00:00"),
        ("2026-07-01T12:00-07:00", BERLIN, "2026-07-01T19:00:00+00:00"),
        ("2026-03-01", UTC, "2026-03-01T00:00:00+00:00"),
    ],
)
def test_a_moment_without_a_zone_is_in_that_of_the_schedule(text, zone, expected):
    assert shown(moment_of(text, zone), UTC) == expected


def test_moments_of_so_long_ago_and_of_this_machine():
    assert moment_of("2h ago", BERLIN) == pytest.approx(time.time() - 7200, abs=60)
    assert moment_of("2026-03-01T12:00") == datetime(2026, 3, 1, 12).astimezone().timestamp()
    with pytest.raises(click.UsageError, match="yesterday"):
        moment_of("yesterday")


def test_an_admin_that_runs_no_backfills_is_told_plainly():
    with pytest.raises(ConfigurationError, match="runs no backfills"):
        filling(object())


def test_how_far_one_is():
    entry = BackfillEntry(
        "march",
        "p/d/n@v1",
        BackfillPhase.PAUSED,
        0.0,
        1.0,
        2.0,
        4,
        reason="the map is wrong",
        waiting=1200,
        succeeded=3,
        there=1,
    )
    assert line(entry) == "march paused (the map is wrong): 1,200 waiting, 3 succeeded, 1 already there, of 1,204 ticks"
