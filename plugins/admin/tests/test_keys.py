"""By which keys the newest artifact is looked for."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from wingbeat.author.artifact import Inputs, Newest
from wingbeat.author.schedule import Cron
from wingbeat.base.errors import InputError
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat_admin.local.firing import kickoff
from wingbeat_admin.local.publishing import keys_bound

NEWEST = Newest("maps/production/roads", partitions={"day": Inputs.at.date, "kind": "all"}).spec
ROUNDED = Newest("maps/production/roads", partitions={"moment": Inputs.at}).spec


def test_the_day_of_a_tick_is_that_of_the_zone_of_its_schedule():
    plan = launchplan(flows.dated, "plan", trigger=Cron("0 23 * * *", timezone="America/Los_Angeles", input="at"))
    tick = datetime(2026, 3, 1, 23, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()  # the next day in UTC
    given = kickoff(plan.plan.trigger, tick)
    assert keys_bound(NEWEST, plan, given) == {"day": "2026-03-01", "kind": "all"}
    assert keys_bound(ROUNDED, plan, given) == {"moment": "2026-03-01T23:00:00-08:00[America/Los_Angeles]"}


def test_what_is_not_given_or_is_no_text_is_told():
    plan = launchplan(flows.dated, "plan")
    for given in ({}, {"at": Offloaded("cas:sha256:0", 1, "sha256:0")}):
        with pytest.raises(InputError, match="'at'"):
            keys_bound(NEWEST, plan, given)
    assert keys_bound(NEWEST, plan, {"at": Inline("2026-01-01T00:00:00+00:00")})["day"] == "2026-01-01"
