"""What is registered, in words."""

from datetime import datetime

import pytest

from wingbeat import (
    Cron,
    FixedRate,
    LaunchPlan,
    Newest,
    Notify,
    OnArtifact,
    OnEnd,
    OnSuccess,
    OnVersion,
    Pool,
    task,
    workflow,
)
from wingbeat.author.closing import close
from wingbeat.spec.definition import Definition, Kind
from wingbeat_cli.render import planned


@task
def price(city: str, at: datetime, roads: list[str], rate: float = 1.5) -> float:
    return rate


@workflow
def prices(city: str, at: datetime, roads: list[str], rate: float = 1.5) -> float:
    return price(city, at, roads, rate)


def definition(**options: object) -> Definition:
    plan = LaunchPlan(prices, name="p", **options)
    closure, _ = close(prices, None)
    return Definition(Kind.LAUNCHPLAN, "p", closure, plan.spec(None, closure.root, closure.workflow.interface))


PLAN = definition(
    inputs={"roads": Newest("maps/production/roads", partitions={"city": "sf"}), "rate": 2.0},
    fixed={"city": "sf"},
    labels={"team": "pricing", "tier": "1"},
    trigger=Cron("0 3 * * *", timezone="America/Los_Angeles", input="at", jitter="90m", catch_up="all", window="2d"),
    concurrency=3,
    pool=Pool("gpu", weight=2),
    priority=5,
    retention_days=7,
    notifications=[Notify("oncall", on=("FAILED",), after="1h")],
)


def test_all_of_a_launch_plan_is_told():
    assert {name: value for name, value in planned.facts(PLAN) if value} == {
        "workflow": prices.name,
        "trigger": "cron 0 3 * * * America/Los_Angeles",
        "gives": "at from the tick",
        "rules": "catch up all of the last 2d, overlap skip, up to 1h30m later",
        "labels": "team=pricing, tier=1",
        "concurrency": "3 of p, then queue",
        "pool": "gpu, weight 2",
        "priority": "+5",
        "kept for": "7 days",
        "tells": "oncall of FAILED, not ended after 1h",
    }
    assert planned.inputs(PLAN) == [
        "at: datetime",
        "roads: list[str] = newest maps/production/roads [city=sf]",
        "rate: float = 2.0",
        "city: str = sf, fixed",
    ]
    assert planned.outputs(PLAN) == ["o0: float"]


def test_programs_are_told_the_same():
    found = planned.document(PLAN)
    assert (found["workflow"], found["labels"]["team"], found["priority"]) == (prices.name, "pricing", 5)
    assert (found["pool"]["name"], found["concurrency"]["limit"], found["retention_days"]) == ("gpu", 3, 7)
    assert found["notifications"][0]["to"] == "oncall"


@pytest.mark.parametrize(
    ("trigger", "line"),
    [
        (Cron("*/5 * * * *"), "cron */5 * * * * UTC"),
        (FixedRate("1d2h"), "every 1d2h"),
        (OnSuccess("maps/production/build"), "SUCCEEDED of maps/production/build"),
        (OnEnd("maps/production/build", phases=("FAILED", "ABORTED")), "FAILED or ABORTED of maps/production/build"),
        (OnArtifact("maps/production/roads", partitions={"city": "sf"}), "artifact maps/production/roads [city=sf]"),
        (OnVersion("maps/production/build", event="activated"), "version of maps/production/build activated"),
    ],
)
def test_what_starts_it_is_one_cell(trigger, line):
    assert planned.trigger_line(trigger.spec) == line


def test_of_a_workflow_its_defaults_are_told():
    closure, _ = close(prices, None)
    found = Definition(Kind.WORKFLOW, "prices", closure)
    assert planned.inputs(found)[-1] == "rate: float = 1.5"
