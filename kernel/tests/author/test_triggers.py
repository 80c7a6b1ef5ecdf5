"""What starts launch plans, as authors write it."""

from datetime import datetime, timedelta

import pytest

from wingbeat import CompileError, Cron, FixedRate, LaunchPlan, OnEnd, OnSuccess, task, workflow
from wingbeat.author.closing import close
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.triggers import CronSpec, OnEndSpec, RateSpec, ScheduleSpec

IO = StorageIO(None, "")
MAPS = "maps/production/maps.build"


@task
def count(roads: list[str], scale: int) -> int:
    return scale * len(roads)


@workflow
def train(roads: list[str], scale: int = 1) -> int:
    return count(roads, scale)


@task
def hourly(at: datetime, city: str = "sf") -> str:
    return f"{city} {at}"


def spec(plan):
    closure, _ = close(plan.workflow, IO)
    return plan.spec(IO, closure.root, closure.workflow.interface)


def test_on_success_takes_outputs():
    found = spec(LaunchPlan(train, name="t", fixed={"scale": 10}, trigger=OnSuccess(MAPS, inputs={"roads": "o0"})))
    assert found.trigger == OnEndSpec(MAPS, ("SUCCEEDED",), {"roads": "o0"})


def test_on_end_names_phases():
    found = spec(
        LaunchPlan(hourly, name="t", fixed={"at": datetime(2026, 1, 1)}, trigger=OnEnd(MAPS, phases=("FAILED",)))
    )
    assert found.trigger.phases == ("FAILED",)
    assert set(OnEnd(MAPS).spec.phases) == {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"}


def test_schedules():
    found = spec(LaunchPlan(hourly, name="t", trigger=Cron("0  3 * * MON", timezone="America/Los_Angeles", input="at")))
    assert found.trigger == ScheduleSpec(CronSpec("0 3 * * MON", "America/Los_Angeles"), "at")
    found = FixedRate(
        timedelta(minutes=10),
        input="at",
        catch_up="all",
        window="1h",
        overlap="buffer_one",
        jitter="30s",
        pause_on_failure=True,
    )
    assert found.spec == ScheduleSpec(RateSpec(600.0), "at", "all", 3600.0, "buffer_one", 30.0, True)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: OnSuccess("maps.build"), "no PROJECT/DOMAIN/NAME"), (lambda: OnSuccess("a/b/c@v1"), "no PROJECT/DOMAIN/NAME"),
        (lambda: OnSuccess("Maps/production/x"), "cannot name a project"),
        (lambda: OnEnd(MAPS, phases=("RUNNING",)), "does not end in"),
        (lambda: OnEnd(MAPS, phases=()), "no phase"), (lambda: OnEnd(MAPS, phases=("DONE",)), "DONE"),
        (lambda: OnEnd(MAPS, inputs={"roads": "o0"}), "may not have succeeded"),
        (lambda: Cron("0 3 * *"), "5 fields"), (lambda: Cron("0 3 * * *", timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (lambda: Cron("0 3 * * *", timezone="../etc/passwd"), "no time zone"),
        (lambda: Cron("0 25 * * *"), r"'0 25 \* \* \*' in UTC is no cron expression: Bad hour \(test_triggers.py:\d+\): "),
        (lambda: Cron("0 2 30 2 *"), r"'0 2 30 2 \*' in UTC .*\(test_triggers.py:\d+\): "),
        (lambda: Cron("0 0 31 4,6 *"), r"'0 0 31 4,6 \*' in UTC .*\(test_triggers.py:\d+\): "),
        (lambda: Cron("0 3 * * *", jitter="3d"), r"259200 s is longer than the 86400 s between two ticks .*\(test_triggers"),
        (lambda: FixedRate("1h", jitter="2h"), "jitter of 7200 s is longer than the 3600 s"),
        (lambda: Cron("0 3 * * *", catch_up="some"), "catch_up"),
        (lambda: Cron("0 3 * * *", overlap="later"), "overlap"), (lambda: Cron("0 3 * * *", jitter="long"), "jitter"),
        (lambda: Cron("0 3 * * *", window=-1.0), "out of range"), (lambda: FixedRate("10 parsecs"), "no duration|not a duration"),
        (lambda: FixedRate(0.5), "less than a second"), (lambda: FixedRate(float("inf")), "out of range"),
    ],
)  # fmt: skip
def test_what_is_none_is_told_with_the_line(make, why):
    with pytest.raises(CompileError, match=why) as told:
        make()
    assert "test_triggers.py:" in str(told.value)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"trigger": OnSuccess(MAPS)}, "nobody gives 'roads'"),
        ({"trigger": OnSuccess(MAPS, inputs={"road": "o0"})}, "no such input"),
        ({"trigger": OnSuccess(MAPS, inputs={"roads": "o0", "scale": "o1"}), "fixed": {"scale": 2}}, "it is fixed"),
        ({"trigger": FixedRate("1h")}, "nobody gives 'roads'"),
        ({"trigger": FixedRate("1h", input="roads")}, "a tick is a datetime"),
        ({"trigger": FixedRate("1h", input="at"), "fixed": {"roads": []}}, "no such input"),
    ],
)
def test_a_plan_that_cannot_start_by_itself_is_refused(more, why):
    with pytest.raises(CompileError, match=why) as told:
        spec(LaunchPlan(train, name="t", **more))
    assert "test_triggers.py:" in str(told.value)


@pytest.mark.parametrize("trigger", ["0 3 * * *", Cron, 7])
def test_what_is_no_trigger_is_refused(trigger):
    with pytest.raises(CompileError, match=r"trigger=.* is none"):
        LaunchPlan(train, name="t", trigger=trigger)
