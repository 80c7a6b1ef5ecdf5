"""What has not started: what is kept of it, for how many, and who may see it."""

import asyncio

import pytest

from wingbeat import Cron, Newest, OnSuccess
from wingbeat.contracts.admin import Registration
from wingbeat.contracts.refusals import RefusalQuery
from wingbeat.contracts.retention import Expired
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.triggers import CronSpec, ScheduleSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat_admin.local import due, refusals, retention
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store

PLAN = parse_identity("eta/production/plan@v1")
DAY_S = 86400.0


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    plan = launchplan(flows.twice, "plan", trigger=Cron("0 3 * * *"), inputs={"n": 1})
    found.register([PLAN], [plan], 0.0, "me")
    yield found
    found.close()


def tick(store, number, overlap="skip"):
    return store.within(due.add_tick, PLAN, ScheduleSpec(CronSpec("0 3 * * *"), overlap=overlap), number * DAY_S)


def listed(store, **query):
    return store.within(refusals.page, RefusalQuery(**query)).items


@pytest.mark.parametrize(
    ("overlap", "decided", "left_out", "why"),
    [
        ("skip", [1, 0, 0], [2, 1], "another execution of the schedule was under way"),
        ("buffer_one", [1, 0, 0], [2, 1], "another tick of the schedule was waiting already"),
        ("cancel_other", [1, 1, 1], [], ""),  # those that wait are left out when the last one is launched
        ("allow_all", [1, 1, 1], [], ""),
        ("buffer_all", [1, 1, 1], [], ""),
    ],
)
def test_ticks_that_an_overlap_policy_leaves_out_are_kept(store, overlap, decided, left_out, why):
    assert [tick(store, number, overlap) for number in range(3)] == decided
    found = listed(store)
    assert [each.at for each in found] == [number * DAY_S for number in left_out]
    assert all(why in each.reason and f"overlap: {overlap}" in each.reason for each in found)


@pytest.mark.parametrize("catch_up", ["last", "none"])
def test_ticks_that_passed_while_nothing_looked_are_kept_as_one(store, catch_up):
    plan = parse_identity("eta/production/away@v1")
    daily = Cron("0 3 * * *", catch_up=catch_up, overlap="allow_all")
    given = launchplan(flows.twice, "away", trigger=daily, inputs={"n": 1})
    store.register([plan], [given], 0.0, "me")
    begin, day = 3 * 3600.0, DAY_S
    store.activate(plan, "", begin, 0.0)
    taken = 1 if catch_up == "last" else 0
    assert store.look(begin + 5 * day + 600) == (taken, begin + 6 * day)
    (found,) = listed(store)
    missed = 6 - taken
    assert found.reason == f"{missed} ticks passed while nothing looked at them (catch_up: {catch_up})"
    assert found.cause == f"ticks 1970-01-01T03:00:00+00:00 to 1970-01-0{missed}T03:00:00+00:00"
    assert (found.at, found.entity) == (begin + (missed - 1) * day, str(plan))
    store.activate(plan, "", begin, 0.0)  # as if it had not been looked at
    with store.transaction() as db:
        db.execute("UPDATE active SET next = ?", (begin,))
    store.look(begin + 5 * day + 700)
    assert listed(store) == [found]
    store.look(begin + 7 * day + 600)
    again = [each for each in listed(store) if each != found]
    assert [each.cause for each in again] == (
        ["missed tick 1970-01-07T03:00:00+00:00"]
        if catch_up == "last"
        else ["ticks 1970-01-07T03:00:00+00:00 to 1970-01-08T03:00:00+00:00"]
    )


def test_what_was_left_out_is_no_hindrance(store):
    """Neither to the ticks behind it, nor to a backfill of it, of which it is not told any more."""
    tick(store, 0), tick(store, 1)
    store.within(due.ended, store.ready(10.0, 1)[0].execution)
    assert tick(store, 2) == 1
    (refused,) = listed(store)
    store.within(due.add_backfilled, "march", str(PLAN), refused.id, refused.cause, DAY_S, 0.0)
    assert listed(store) == []


def test_of_a_launch_plan_so_many_are_kept(store, monkeypatch):
    monkeypatch.setattr(refusals, "REFUSED_MAX", 3)
    store.within(due.add_fired, parse_identity("eta/production/other@v1"), "cause", 0.0)
    store.refused(store.ready(10.0, 1)[0].execution, "it takes what is not there")
    for number in range(6):
        tick(store, number)
    assert [each.at / DAY_S for each in listed(store, name="plan")] == [5, 4, 3]
    assert [each.reason for each in listed(store, name="other")] == ["it takes what is not there"]


def test_what_is_refused_that_is_not_due_is_nothing(store):
    store.refused("never", "why")
    assert listed(store) == []


def test_many_backfills_go_step_by_step_and_others_stay(store):
    """Numbers of backfills are found by leaps: those between that are there are passed over."""
    with store.transaction() as db:
        for number, ended_at in ((1, 5.0), (2, None), (3, 6.0), (4, 50.0)):
            db.execute(
                "INSERT INTO backfills VALUES "
                "(?, ?, '', '', '', '', '', '', '', '', 0, 1, 0, 1, '', '', 0, 0, ?, 0, 0, 0, 0, 0, 0, 0)",
                (number, f"b{number}", ended_at),
            )
            ticks = ((number, float(each)) for each in range(10))
            db.executemany("INSERT INTO backfill_ticks (backfill, tick, state) VALUES (?, ?, 'succeeded')", ticks)
    assert store.within(retention.expired, 10.0) == Expired(2, 0)
    steps = []
    while (found := store.within(retention.expire, 10.0, 8)).rows:
        steps.append((found.backfills, found.rows))
    assert steps == [(2, 10), (0, 8), (0, 4)]
    with store.transaction() as db:
        counts = db.execute("SELECT backfill, count(*) FROM backfill_ticks GROUP BY backfill").fetchall()
    assert counts == [(2, 10), (4, 10)]


async def test_only_those_of_ones_places_are_seen(server):
    for place in (server.own, server.foreign):
        name = "/".join(place)
        plan = launchplan(
            flows.twice, "refused", inputs={"n": Newest(f"{name}/missing")}, trigger=OnSuccess(f"{name}/flows.twice")
        )
        given = Registration(*place, (plan,), "v7")
        assert (await server.call(server.owner, "POST", "/registrations", given)).status_code == 201
        assert (await server.call(server.owner, "POST", f"/entities/{name}/refused/v7/activate", {})).status_code == 200
        launch = {"entity": f"{name}/flows.twice", "inputs": {"n": 1}}
        assert (await server.call(server.owner, "POST", "/executions", launch)).status_code == 201
    viewer, nobody = await server.key("viewer", ("viewer", *server.own)), await server.key("nobody")
    async with asyncio.timeout(30):
        while len(every := (await server.call(server.owner, "GET", "/refusals")).json()["items"]) < 2:
            await asyncio.sleep(0.05)
    (own,) = (await server.call(viewer, "GET", "/refusals")).json()["items"]
    assert own["entity"] == f"{'/'.join(server.own)}/refused@v7"
    assert (await server.call(nobody, "GET", "/refusals")).json()["items"] == []
    (foreign,) = (each["id"] for each in every if each["id"] != own["id"])
    for id in (foreign, "never"):
        assert (await server.call(viewer, "GET", "/refusals", params={"after": id})).status_code == 404
